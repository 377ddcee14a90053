"""A real ``treadle serve`` in a process of its own."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.waiting import wait_until
from tests.support.warm import TREADLE, WarmProcess, run_warm

_START_SECONDS = 60
_ADDRESS = re.compile(r"http://\S+?:\d+")


@dataclass
class Served:
    """A server that runs.

    Attributes:
        url: where it listens.
        process: its process.
        log: the file that holds what it wrote.
    """

    url: str
    process: WarmProcess
    log: Path

    def stop(self) -> int:
        """Ask the server to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(
    project: Path,
    redis_url: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Serve a project on a free port until the block ends."""
    log = project / "server.log"
    command = [TREADLE, "serve", "--project", str(project), "--redis", redis_url, "--port", "0"]
    with log.open("wb") as output:
        process = WarmProcess(
            [*command, *options],
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {}), "COLUMNS": "200"},
        )
    try:
        url = wait_until(lambda: _address(process, log), within_seconds=_START_SECONDS)
        wait_until(lambda: _answers(url), within_seconds=_START_SECONDS)
        yield Served(url, process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def treadle(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of ``treadle`` to its end."""
    return run_warm([TREADLE, *arguments])


def _address(process: WarmProcess, log: Path) -> str | None:
    text = log.read_text()
    assert process.poll() is None, text
    found = _ADDRESS.search(text)
    return found[0] if found else None


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/ok")
    except httpx.TransportError:
        return False
    return True
