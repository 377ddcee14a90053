"""Processes of Python that begin with the libraries loaded already.

A new Python loads LangChain, LangGraph and what they need for three seconds before the first line
of Treadle runs, and the tests start some hundreds. Here two processes load the libraries once and
are forked for each start; the two have different hash seeds and take turns, so that processes that
follow each other order their sets differently, as new ones do. Only what `warm_fork` names is
loaded beforehand: each process loads all of Treadle by itself, in the order of its command.

What a start from nothing does, and what it must not load, is tested with `subprocess`.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support.rooms import ROOT

_SCRIPTS = Path(sys.executable).parent
TREADLE = str(_SCRIPTS / "treadle")
"""The installed command."""


class WarmProcess:
    """A process that runs; the part of `subprocess.Popen` that tests use.

    Args:
        arguments: what would follow ``python``: ``-c`` and code, ``-m`` and a module, or a script.
        stdin, stdout, stderr: files it is given; ``None`` for /dev/null.

    Attributes:
        pid: its id.
        returncode: ``None`` while it runs; then its exit code, or a signal as a negative number.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | None = None,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
    ) -> None:
        self.returncode: int | None = None
        order = {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        self._line, theirs = socket.socketpair()
        with ExitStack() as given, theirs:
            nothing = given.enter_context(Path(os.devnull).open("r+b"))
            files = [(file or nothing).fileno() for file in (stdin, stdout, stderr)]
            socket.send_fds(next(_turns()), [b"."], [theirs.fileno(), *files])
        self._line.sendall(json.dumps(order).encode() + b"\n")
        self.pid = int.from_bytes(self._line.recv(4))

    def poll(self) -> int | None:
        """Return the exit code, or ``None`` while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end within ``timeout`` seconds.
        """
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                told = self._line.recv(4)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0) from None
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(told))
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, as long as it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_warm(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
    timeout: float = 120,
) -> "subprocess.CompletedProcess[str]":
    """Run a process to its end, with ``text`` as its input, as `subprocess.run` does."""
    with TemporaryFile("w+b") as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write((text or "").encode())
        stdin.seek(0)
        with warm(arguments, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr) as one:
            code = one.wait(timeout)
        stdout.seek(0)
        stderr.seek(0)
        said, complained = (file.read().decode() for file in (stdout, stderr))
    return subprocess.CompletedProcess(list(arguments), code, said, complained)


@contextmanager
def warm(arguments: Sequence[str | Path], **options: Any) -> Iterator[WarmProcess]:
    """Run a process for the length of the block; it is killed if it runs on."""
    process = WarmProcess(arguments, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@cache
def _turns() -> Iterator[socket.socket]:
    """Yield the lines to those that fork, in turns; they end when this process does."""
    return cycle([_forking(), _forking()])


def _forking() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", "from tests.support import warm_fork; warm_fork.run()"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            start_new_session=True,
        )
    atexit.register(process.wait)
    atexit.register(process.terminate)  # this one is called first
    return ours
