"""A real ``treadle serve`` in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from tests.support.waiting import wait_until
from tests.support.warm import TREADLE, WarmProcess, run_warm

_START_SECONDS = 60
_ADDRESS = re.compile(r"http://\S+?:\d+")


Process = WarmProcess | subprocess.Popen[bytes]


@dataclass
class Served:
    """A server that runs.

    Attributes:
        url: where it listens.
        process: its process.
        log: the file that holds what it wrote.
    """

    url: str
    process: Process
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
    is_new: bool = False,
) -> Iterator[Served]:
    """Serve a project on a free port until the block ends; ``is_new``: in a Python begun anew."""
    log = project / "server.log"
    command = [TREADLE, "serve", "--project", str(project), "--redis", redis_url, "--port", "0"]
    with log.open("wb") as output:
        process = _start(
            [*command, *options],
            output,
            {**os.environ, **(environment or {}), "COLUMNS": "200"},
            is_new=is_new,
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


def _start(
    command: list[str], output: BinaryIO, environment: dict[str, str], *, is_new: bool
) -> Process:
    if is_new:
        return subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=output, env=environment
        )
    return WarmProcess(command, stdout=output, stderr=output, env=environment)


def treadle(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of ``treadle`` to its end."""
    return run_warm([TREADLE, *arguments])


def _address(process: Process, log: Path) -> str | None:
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
