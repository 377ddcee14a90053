"""The embedded server's process: starting it, talking to it, reading what it said.

It is never signalled. It detaches itself from the terminal, so that Ctrl-C in the process that
happened to start it does not reach it, and it ends when it is told to over its socket.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from treadle.core.errors import RedisError
from treadle.memory._redis_binary import OLDEST, ServerBinary, find_server_binary

DETACHED_WITHIN_SECONDS = 30.0
ANSWERS_WITHIN_SECONDS = 5.0
LOG_KEPT_BYTES = 1_000_000
REWRITE_LOG_FROM_BYTES = 64 * 1024 * 1024

# Redis 7.0 and later, and Valkey, split the append-only file over this folder. Older servers do
# not look into it: they would start empty beside the data instead of failing.
SPLIT_LOG = "appendonlydir"
FIRST_WITH_SPLIT_LOG = (7, 0)

LAST_WORDS_BYTES = 4_000
FIRST_WORDS = "oO0OoO0OoO0Oo"
# Said at every start, in the same voice as real trouble.
SMALL_TALK = re.compile(
    rf"{FIRST_WORDS}|version=|Configuration loaded|Server initialized|WARNING|overcommit"
)


@dataclass(frozen=True, slots=True)
class Started:
    """A server that was started, while its starter waits for it.

    Attributes:
        words_begin: where its words begin in its log, for `RedisProcess.trouble`.
    """

    words_begin: int
    _lifeline: int

    def has_ended(self) -> bool:
        """Whether it is gone: it holds the other end of a pipe, as long as it lives."""
        try:
            return not os.read(self._lifeline, 1)
        except BlockingIOError:
            return False


@dataclass(frozen=True, slots=True)
class RedisProcess:
    """A redis-server whose data, log and pid file are in ``folder``."""

    folder: Path
    socket: Path

    @property
    def log(self) -> Path:
        """The file that the server writes what it has to say into."""
        return self.folder / "redis.log"

    @contextmanager
    def start(self, inherited: int) -> Iterator[Started]:
        """Start the server, and give it while it is still loading.

        Args:
            inherited: a file descriptor that the server keeps open for as long as it lives.

        Raises:
            RedisError: there is no server to start, or it refused its settings.
        """
        binary = find_server_binary(self._oldest_that_sees_the_data())
        words_begin = self._turn_over_log()
        ours, its = os.pipe()
        os.set_blocking(ours, False)
        try:
            try:
                self._spawn(binary, (inherited, its))
            finally:
                os.close(its)
            yield Started(words_begin, ours)
        finally:
            os.close(ours)

    def _spawn(self, binary: ServerBinary, inherited: tuple[int, ...]) -> None:
        try:
            started = subprocess.run(  # noqa: S603 - found on the operator's own PATH
                [binary.path, *self._settings()],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                pass_fds=inherited,
                start_new_session=True,
                umask=0o077,
                timeout=DETACHED_WITHIN_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RedisError(f"The server {binary} could not be started: {error}.") from error
        if started.returncode != 0:
            said = (started.stderr or started.stdout).decode(errors="replace").strip()
            raise RedisError(f"The server {binary} ended at once in {self.folder}. It said: {said}")

    def answers(self) -> bool:
        """Whether the server is there and has loaded its data."""
        with self._client() as client:
            try:
                client.ping()
            except redis.ResponseError:
                return True  # it has something to say; whoever connects will hear it
            except (redis.ConnectionError, redis.TimeoutError):
                return False  # not there, or still loading
        return True

    def tidy(self) -> None:
        """Have the append-only file rewritten when most of it is history.

        The server does so itself while it runs, but measures growth from its start: many short
        sessions would let the file grow for ever.
        """
        with self._client() as client, suppress(redis.RedisError):
            info: dict[str, Any] = client.info()
            if info["aof_current_size"] > max(REWRITE_LOG_FROM_BYTES, 2 * info["used_memory"]):
                client.bgrewriteaof()

    def shut_down(self) -> bool:
        """Tell the server to end, everything acknowledged being on disk; False if it refused."""
        with self._client() as client:
            try:
                client.shutdown(nosave=True)
            except redis.RedisError:
                return False
        return True

    def trouble(self, words_begin: int) -> RedisError:
        """Return the error for a server that ended while starting, with its own reason."""
        said = "; ".join(_telling(self._words_since(words_begin))) or "nothing"
        return RedisError(
            f"The embedded Redis in {self.folder} ended while starting. It said: {said}.",
            hint=self._remedy(said),
        )

    def last_words(self) -> str:
        """Return what the last server said of trouble, perhaps nothing."""
        try:
            words = self.log.read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
        except OSError:
            words = ""
        return "; ".join(_telling(words.rpartition(FIRST_WORDS)[2])) or "nothing"

    def _remedy(self, said: str) -> str:
        if "RDB format version" in said or "Unknown RDB" in said:
            return (
                "The data was written by a newer server: start that one, or a newer one, by "
                "putting it on PATH or naming it with TREADLE_REDIS_SERVER."
            )
        if "No space left" in said:
            return "Free some space on its disk, and try again."
        if "append only file" in said or "AOF" in said:
            return (
                "The data is damaged: copy the folder, then run redis-check-aof --fix on its "
                "append-only file, which cuts off what cannot be read."
            )
        return f"Its log is {self.log}."

    def _words_since(self, begin: int) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(begin)
                return log.read().decode(errors="replace")
        except OSError as error:
            return f" # its log cannot be read: {error.strerror}"

    def _turn_over_log(self) -> int:
        try:
            size = self.log.stat().st_size
        except FileNotFoundError:
            return 0
        if size < LOG_KEPT_BYTES:
            return size
        self.log.replace(self.log.with_name("redis.log.1"))
        return 0

    def _settings(self) -> Iterator[str]:
        for name, value in {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.log),
            "pidfile": str(self.folder / "redis.pid"),
            "daemonize": "yes",
            "appendonly": "yes",
            # With everysec, a write can be acknowledged up to two seconds before it reaches
            # even the kernel, while an earlier one is being synced.
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }.items():
            yield f"--{name}"
            yield value

    def _oldest_that_sees_the_data(self) -> tuple[int, int]:
        return FIRST_WITH_SPLIT_LOG if (self.folder / SPLIT_LOG).exists() else OLDEST

    @contextmanager
    def _client(self) -> Iterator[redis.Redis]:
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=ANSWERS_WITHIN_SECONDS,
            socket_connect_timeout=ANSWERS_WITHIN_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        try:
            yield client
        finally:
            client.close()


def _telling(log: str) -> list[str]:
    """Return the lines of a log that tell of trouble, without their time stamps."""
    warnings = (line.partition(" # ")[2] for line in log.splitlines())
    return [words.rstrip(".") for words in warnings if words and not SMALL_TALK.search(words)]
