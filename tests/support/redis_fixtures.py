"""Redis servers for the tests.

``redis_server`` runs a test on Redis 6.2 and again on the machine's own server; ``redis_url``
gives it Redis 6.2 alone, and ``cluster_url`` a cluster of three. Each starts a test empty. Where
``keys_looked_over`` is used, so are the keys that a test leaves in them: see `misplaced_keys`.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.key_leaks import KeyLeaks, misplaced_keys, no_key_leaks
from tests.support.redis_servers import (
    RedisServer,
    packaged_binary,
    running_cluster,
    running_server,
    system_binary,
)


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """Give a folder whose path leaves room for a socket's name, whatever TMPDIR is."""
    with TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_6_2() -> Iterator[RedisServer]:
    """Give the oldest supported server, shared by the session; flush it before use."""
    with (
        TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder,
        running_server(packaged_binary(), Path(folder)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def system_redis() -> Iterator[RedisServer]:
    """Give the machine's own server, shared by the session; flush it before use."""
    binary = system_binary()
    if binary is None:
        pytest.skip("no redis-server or valkey-server is installed on this machine")
    with (
        TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder,
        running_server(binary, Path(folder)) as server,
    ):
        yield server


@pytest.fixture(params=["redis_6_2", "system_redis"])
def redis_server(request: pytest.FixtureRequest) -> RedisServer:
    """Give each supported server in turn, empty."""
    return _empty(request.getfixturevalue(request.param))


@pytest.fixture
def empty_redis_6_2(redis_6_2: RedisServer) -> RedisServer:
    """Give the oldest supported server, empty."""
    return _empty(redis_6_2)


@pytest.fixture
def redis_url(empty_redis_6_2: RedisServer) -> str:
    """Give the URL of an empty Redis 6.2."""
    return empty_redis_6_2.url


@pytest.fixture(scope="session")
def cluster_nodes() -> Iterator[list[RedisServer]]:
    """Give the three nodes of a Redis 6.2 cluster, shared by the session."""
    with (
        TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder,
        running_cluster(packaged_binary(), Path(folder)) as nodes,
    ):
        yield nodes


@pytest.fixture
def cluster_url(cluster_nodes: list[RedisServer]) -> str:
    """Give the URL of an empty Redis 6.2 cluster."""
    ports = [_empty(node).port for node in cluster_nodes]
    return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)


@pytest.fixture
def key_leaks(redis_server: RedisServer) -> Iterator[KeyLeaks]:
    """Fail the test when it leaves a key without a TTL in ``redis_server``."""
    with no_key_leaks(redis_server) as leaks:
        yield leaks


@pytest.fixture
def keys_looked_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a misplaced key, unless its mark ``any_keys`` says why it may."""
    _used.clear()
    yield
    if request.node.get_closest_marker("any_keys") is None:
        for server in _used:
            with server.client() as client:
                assert misplaced_keys(client) == []


_used: list[RedisServer] = []


def _empty(server: RedisServer) -> RedisServer:
    _used.append(server)
    client = server.client()
    try:
        client.flushall()
    finally:
        client.close()
    return server
