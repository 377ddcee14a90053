"""The embedded server: a real redis-server that Treadle's processes start, share and stop.

Three files in its folder say who does what. All are locked with ``flock``, which the kernel
undoes when the holder ends, however it ends; no process id is trusted or signalled.

=============== ========= ================================================================
file            lock      held by
=============== ========= ================================================================
``gate.lock``   exclusive whoever is starting or stopping the server, while that takes
``users.lock``  shared    every user of the server, while it uses it
``server.lock`` exclusive the server, which inherits the open file and never knows of it
=============== ========= ================================================================

So a free ``server.lock`` proves that no server runs on the data, whatever sockets and pid files
were left behind; and under the gate, a ``users.lock`` that can be had exclusively proves that
nobody else needs the server.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from treadle.core.errors import RedisError
from treadle.memory._private_folder import (
    make_private,
    make_socket_folder_private,
    socket_path,
    unusable,
)
from treadle.memory._redis_process import RedisProcess, Started
from treadle.memory._redis_url import URL_VARIABLE, home

if sys.platform != "win32":
    import fcntl

GATE, USERS, SERVER = "gate.lock", "users.lock", "server.lock"

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
SHORTEST_WAIT_SECONDS = 0.001
LONGEST_WAIT_SECONDS = 0.05
LEAST_FREE_BYTES = 1_000_000

logger = logging.getLogger("treadle.memory")


class EmbeddedRedis:
    """A Redis server on a Unix socket, with its data in a folder, for as long as it is used.

    Entering the context starts the server unless it runs already; leaving it stops the server
    unless somebody else uses it, in this process or in another one of the same user. What the
    server acknowledged is on disk. Any number of objects may share a folder; one object is
    entered once at a time.

    Attributes:
        folder: the absolute path of the folder; it is made if missing, for this user alone.
        socket: the path of the server's Unix socket.
        url: what any Redis client can connect to.
    """

    def __init__(
        self, folder: Path | None = None, *, given_up: threading.Event | None = None
    ) -> None:
        """Name the server.

        Args:
            folder: where its data is; by default in the user's data folder.
            given_up: set it from another thread to end waiting for the server to be ready.

        Raises:
            ConfigError: no folder is given, and this user has no data folder.
            RedisError: this is Windows, which no server that Treadle could start runs on.
        """
        if sys.platform == "win32":
            raise RedisError(
                "There is no embedded Redis on Windows.",
                hint=f"Name a running Redis with {URL_VARIABLE}, or run Treadle in WSL.",
            )
        self.folder = Path(os.path.realpath(home() / "redis" if folder is None else folder))
        self.socket = socket_path(self.folder)
        self.url = f"unix://{quote(str(self.socket))}"
        self._process = RedisProcess(self.folder, self.socket)
        self._given_up = given_up or threading.Event()
        self._in_use: ExitStack | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        """Start the server, or join those who use it.

        Raises:
            RedisError: it cannot be started; the message quotes its own reason.
        """
        if self._in_use is not None:
            raise RuntimeError("This EmbeddedRedis is in use; make another one for the folder.")
        make_private(self.folder, ours=GATE)
        make_socket_folder_private(self.socket)
        with ExitStack() as stack, self._gate(READY_WITHIN_SECONDS, self._given_up):
            users = stack.enter_context(self._file(USERS))
            fcntl.flock(users, fcntl.LOCK_SH)
            self._owner = os.getpid()
            try:
                self._run()
            except RedisError:
                # A server that takes too long to load goes on, and may be ready at the next try.
                if self._given_up.is_set():
                    stack.callback(self._leave, users)
                raise
            stack.callback(self._leave, users)
            self._in_use = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        in_use, self._in_use = self._in_use, None
        if in_use is not None:
            in_use.close()

    def ensure_running(self) -> None:
        """Start the server again if it ended while in use.

        Raises:
            RedisError: it cannot be started, or this object is not in use.
        """
        if self._in_use is None:
            raise RedisError(f"The embedded Redis in {self.folder} was closed by its user.")
        with self._gate(READY_WITHIN_SECONDS, self._given_up):
            if not self._process.answers():
                self._check_space()
            last_words = self._process.last_words()
            if self._run():
                logger.warning(
                    "The embedded Redis in %s had ended and was started again. It last said: %s.",
                    self.folder,
                    last_words,
                )

    def _run(self) -> bool:
        """Return when the server answers, and whether it had to be started. Needs the gate."""
        with ExitStack() as stack:
            started: Started | None = None
            for _ in _tries(READY_WITHIN_SECONDS, self._not_ready, self._given_up):
                if self._process.answers():
                    break
                with self._file(SERVER) as lock:
                    if not _lock(lock):
                        continue  # it is loading its data, or still ending
                    if started is None:
                        started = stack.enter_context(self._process.start(lock))
                    elif started.has_ended():
                        raise self._process.trouble(started.words_begin)
        if started is None:
            return False
        self._check_locks_hold()
        self._process.tidy()
        return True

    def _check_space(self) -> None:
        """Refuse to start a server that has just ended for lack of space, and would again."""
        volume = os.statvfs(self.folder)
        free_bytes = volume.f_bavail * volume.f_frsize
        if free_bytes < LEAST_FREE_BYTES:
            raise RedisError(
                f"The embedded Redis ended: the disk of {self.folder} is full "
                f"({free_bytes} bytes left).",
                hint="Nothing it acknowledged is lost. Free some space, and it goes on.",
            )

    def _check_locks_hold(self) -> None:
        with self._file(SERVER) as lock:
            if not _lock(lock) or not self._process.answers():
                return
        self._process.shut_down()
        raise unusable(self.folder, "its file system's locks do not pass to another process")

    def _leave(self, users: int) -> None:
        if self._owner != os.getpid():
            return  # a fork of the user: the server is still the parent's
        try:
            with self._gate(STOPPED_WITHIN_SECONDS):
                if _lock(users):
                    self._stop()
                fcntl.flock(users, fcntl.LOCK_UN)
        except RedisError as error:
            logger.warning("%s It was left running.", error.message)

    def _stop(self) -> None:
        """Return when the server has ended, unless it refuses to. Needs the gate."""
        with self._file(SERVER) as lock:
            for _ in _tries(STOPPED_WITHIN_SECONDS, self._not_stopped):
                # Told more than once: one that has just been started may not listen yet.
                if _lock(lock) or not self._process.shut_down():
                    return

    @contextmanager
    def _gate(
        self, within_seconds: float, given_up: threading.Event | None = None
    ) -> Iterator[None]:
        with self._file(GATE) as gate:
            for _ in _tries(within_seconds, self._gate_closed, given_up):
                if _lock(gate):
                    break
            yield

    @contextmanager
    def _file(self, name: str) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.folder / name, flags, 0o600)
        except OSError as error:
            raise unusable(self.folder, error) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _not_ready(self) -> RedisError:
        return RedisError(
            f"The embedded Redis in {self.folder} is not ready after "
            f"{READY_WITHIN_SECONDS:.0f} seconds.",
            hint=f"It may be loading much data, or hang: see {self._process.log}, and try again.",
        )

    def _not_stopped(self) -> RedisError:
        return RedisError(
            f"The embedded Redis in {self.folder} has not ended after "
            f"{STOPPED_WITHIN_SECONDS:.0f} seconds."
        )

    def _gate_closed(self) -> RedisError:
        return RedisError(
            f"Another process has been starting or stopping the embedded Redis in {self.folder} "
            "for too long.",
            hint=f"Look for a suspended process that holds {self.folder / GATE}.",
        )


def _tries(
    within_seconds: float,
    too_late: Callable[[], RedisError],
    given_up: threading.Event | None = None,
) -> Iterator[None]:
    """Yield at once, then after ever longer short waits; raise ``too_late`` at the deadline."""
    given_up = given_up or threading.Event()
    deadline = time.monotonic() + within_seconds
    wait_seconds = SHORTEST_WAIT_SECONDS
    while True:
        yield
        if time.monotonic() > deadline or given_up.wait(wait_seconds):
            raise too_late()
        wait_seconds = min(1.5 * wait_seconds, LONGEST_WAIT_SECONDS)


def _lock(descriptor: int) -> bool:
    """Lock the open file exclusively, and return whether nobody else had it locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
