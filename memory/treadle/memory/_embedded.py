"""The embedded server: a real redis-server that Treadle's processes share and start themselves.

Three locks in the folder say who does what. All are ``flock`` locks, which the kernel releases
when their holder ends, however it ends; no process id is ever trusted or signalled.

=============== ========= ======================================================================
file            lock      held by
=============== ========= ======================================================================
``gate.lock``   exclusive whoever is starting or stopping the server, for as long as that takes
``users.lock``  shared    every user of the server, for as long as it uses it
``server.lock`` exclusive the server itself: it inherits the descriptor and never knows of it
=============== ========= ======================================================================

So a free ``server.lock`` proves that no server runs on the folder's data, even when a socket or
a pid file was left behind, and a ``users.lock`` that can be taken exclusively under the gate
proves that nobody else needs the server any more.
"""

import errno
import fcntl
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from treadle.core.errors import RedisError
from treadle.memory._redis_binary import ServerBinary, find_server_binary
from treadle.memory._redis_url import HOME_VARIABLE, home

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
ANSWERS_WITHIN_SECONDS = 5.0
SHORTEST_WAIT_SECONDS = 0.001
LONGEST_WAIT_SECONDS = 0.05

# The shortest limit of the systems Treadle runs on: macOS has room for 103 bytes and a NUL.
LONGEST_SOCKET_PATH_BYTES = 103
LOG_KEPT_BYTES = 1_000_000
MULTI_PART_LOG = "appendonlydir"


class EmbeddedRedis:
    """A Redis server on a Unix socket, with its data in ``folder``, while anybody uses it.

    Entering the context starts the server unless it already runs; leaving it stops the server
    unless somebody else, in this process or another one, still uses it. Several objects may
    name the same folder. Every acknowledged write is on disk.

    Attributes:
        folder: absolute path of the folder; it is made, readable by this user only.
        socket: path of the server's Unix socket.
        url: what to give to any Redis client.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (home() / "redis" if folder is None else folder).expanduser().resolve()
        self.socket = _socket_path(self.folder)
        self.url = f"unix://{self.socket}"
        self._given_up = threading.Event()
        self._users: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Become a user of the server, and return when it is ready.

        Raises:
            RedisError: it cannot be started; the message quotes the server's own reason.
        """
        _make_private_folder(self.folder)
        with self._gate(READY_WITHIN_SECONDS):
            users = self._open("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                self._run()
            except BaseException:
                os.close(users)
                raise
            self._users = users

    def release(self) -> None:
        """Stop being a user of the server, and stop it if nobody else is one. Idempotent."""
        users, self._users = self._users, None
        if users is None:
            return
        try:
            with self._gate(STOPPED_WITHIN_SECONDS):
                if _try_lock(users):
                    self._stop()
        finally:
            os.close(users)

    def give_up(self) -> None:
        """Make an ``acquire`` that waits in another thread fail now instead of waiting on."""
        self._given_up.set()

    def ensure_running(self) -> None:
        """Start the server again if it died while in use.

        Raises:
            RedisError: it cannot be started.
        """
        with self._gate(READY_WITHIN_SECONDS):
            self._run()

    def _run(self) -> None:
        """Return when the server answers, having started it if none runs. Needs the gate."""
        started_at: int | None = None
        wait = _Wait(READY_WITHIN_SECONDS, self._given_up)
        while not self._answers():
            lock = self._open("server.lock")
            try:
                if _try_lock(lock):
                    if started_at is not None:
                        raise self._died(started_at)
                    started_at = self._start(lock)
            finally:
                os.close(lock)
            if not wait.once():
                raise self._not_ready()

    def _answers(self) -> bool:
        """Whether the server is there and has loaded its data."""
        client = self._client()
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()

    def _start(self, lock: int) -> int:
        """Start a server that inherits ``lock``; return where its words begin in its log."""
        binary = find_server_binary(self._oldest_that_reads_the_data())
        log = self.folder / "redis.log"
        if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        start = log.stat().st_size if log.exists() else 0
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        result = subprocess.run(  # noqa: S603 - our own arguments, and the operator's binary
            [binary.path, *self._arguments()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=self.folder,
            pass_fds=(lock,),
            start_new_session=True,
            umask=0o077,
            timeout=READY_WITHIN_SECONDS,
        )
        if result.returncode != 0:
            said = (result.stderr or result.stdout).decode(errors="replace")
            raise self._refused(binary, said)
        return start

    def _arguments(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.folder / "redis.log"),
            "pidfile": str(self.folder / "redis.pid"),
            "daemonize": "yes",
            "appendonly": "yes",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _stop(self) -> None:
        """Ask the server to end, and return when it has. Needs the gate."""
        client = self._client()
        try:
            client.shutdown(nosave=True)
        except redis.RedisError:
            return
        finally:
            client.close()
        wait = _Wait(STOPPED_WITHIN_SECONDS, threading.Event())
        lock = self._open("server.lock")
        try:
            while not _try_lock(lock) and wait.once():
                pass
        finally:
            os.close(lock)

    def _client(self) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=ANSWERS_WITHIN_SECONDS,
            socket_connect_timeout=ANSWERS_WITHIN_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )

    def _gate(self, within_seconds: float) -> "_Gate":
        return _Gate(lambda: self._open("gate.lock"), _Wait(within_seconds, self._given_up))

    def _open(self, name: str) -> int:
        return os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _oldest_that_reads_the_data(self) -> tuple[int, int]:
        # A server before 7.0 does not see the log that later ones split over a folder: it
        # would start empty beside the data instead of failing.
        return (7, 0) if (self.folder / MULTI_PART_LOG).exists() else (6, 2)

    def _died(self, started_at: int) -> RedisError:
        return RedisError(
            f"The embedded Redis in {self.folder} ended while starting. "
            f"It said: {self._last_words(started_at)}",
            hint=f"Its log is {self.folder / 'redis.log'}.",
        )

    def _refused(self, binary: ServerBinary, said: str) -> RedisError:
        return RedisError(f"The server {binary} did not start in {self.folder}: {said.strip()}")

    def _not_ready(self) -> RedisError:
        return RedisError(
            f"The embedded Redis in {self.folder} is not ready after "
            f"{READY_WITHIN_SECONDS:.0f} seconds.",
            hint=f"It may still be loading its data: see {self.folder / 'redis.log'}, and retry.",
        )

    def _last_words(self, start: int) -> str:
        with (self.folder / "redis.log").open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").splitlines()
        telling = [line for line in lines if " # " in line] or lines
        return telling[-1] if telling else "nothing"


class _Gate:
    """The right to start or stop the server of a folder, as a context."""

    def __init__(self, open_lock: Callable[[], int], wait: "_Wait") -> None:
        self._open_lock = open_lock
        self._wait = wait

    def __enter__(self) -> None:
        self._lock = self._open_lock()
        while not _try_lock(self._lock):
            if not self._wait.once():
                os.close(self._lock)
                raise RedisError("Another process is starting or stopping the embedded Redis.")

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)


class _Wait:
    """Ever longer short waits until a deadline, or until someone gives up."""

    def __init__(self, within_seconds: float, given_up: threading.Event) -> None:
        self._deadline = time.monotonic() + within_seconds
        self._given_up = given_up
        self._next_seconds = SHORTEST_WAIT_SECONDS

    def once(self) -> bool:
        """Wait a little; return whether to go on."""
        if self._given_up.wait(self._next_seconds):
            return False
        self._next_seconds = min(self._next_seconds * 1.5, LONGEST_WAIT_SECONDS)
        return time.monotonic() < self._deadline


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise RedisError(
            f"The folder {folder} for the embedded Redis cannot be used: {error.strerror}.",
            hint=f"Name another with {HOME_VARIABLE} or embedded:///absolute/folder.",
        ) from error


def _socket_path(folder: Path) -> Path:
    """Return the socket's path: in the folder, or in /tmp when that is too long for a socket."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    # Every process must come to the same place, so neither TMPDIR nor XDG_RUNTIME_DIR decides.
    return Path(f"/tmp/treadle-{os.getuid()}", f"{name}.sock")  # noqa: S108
