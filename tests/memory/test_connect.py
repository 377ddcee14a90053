"""Connecting to servers that are there, or are not, or are not what the URL says."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tests.support.fake_redis import bulk, fake_redis
from tests.support.redis_servers import (
    RedisServer,
    free_port,
    packaged_binary,
    running_server,
)
from treadle.core.errors import RedisError
from treadle.memory import _redis_check, connect, connect_sync

pytestmark = pytest.mark.any_keys("these tests use a Redis as anybody may")


async def test_connect_gives_a_client_that_answers_in_bytes(redis_server: RedisServer) -> None:
    async with connect(redis_server.url) as client:
        await client.set("greeting", b"hello")
        assert await client.get("greeting") == b"hello"


def test_connect_sync_gives_a_client_that_answers_in_bytes(redis_server: RedisServer) -> None:
    with connect_sync(redis_server.url) as client:
        client.set("greeting", b"hello")
        assert client.get("greeting") == b"hello"


async def test_the_environment_names_the_server(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_REDIS_URL", f"{redis_url}?db=3")
    async with connect() as client:
        await client.set("here", 1)
    with connect_sync(f"{redis_url}?db=3") as again:
        assert again.get("here") == b"1"


async def test_two_hundred_coroutines_wait_for_each_other(redis_url: str) -> None:
    async with connect(f"{redis_url}?max_connections=5") as client:
        await asyncio.gather(*(client.incr("counter") for _ in range(200)))
        assert await client.get("counter") == b"200"
        assert len(await client.client_list()) <= 5


def test_two_hundred_threads_wait_for_each_other(redis_url: str) -> None:
    with connect_sync(f"{redis_url}?max_connections=5") as client, ThreadPoolExecutor(200) as pool:
        list(pool.map(lambda _: client.incr("counter"), range(200)))
        assert client.get("counter") == b"200"


def test_any_event_loop_will_do(redis_url: str) -> None:
    async def increment() -> int:
        async with connect(redis_url) as client:
            return int(await client.incr("counter"))

    assert [asyncio.run(increment()) for _ in range(3)] == [1, 2, 3]


async def test_closing_is_complete(redis_6_2: RedisServer) -> None:
    async with connect(redis_6_2.url) as client:
        await asyncio.gather(*(client.ping() for _ in range(10)))
    with connect_sync(redis_6_2.url) as observer:
        assert len(observer.client_list()) == 1
    gc.collect()  # an unclosed socket would warn, and warnings are errors


async def test_an_error_in_the_body_is_the_callers(redis_url: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connect(redis_url):
            raise ZeroDivisionError
    with pytest.raises(redis.ResponseError), connect_sync(redis_url) as client:
        client.execute_command("NO-SUCH-COMMAND")


async def test_cancelling_while_connecting_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_redis({"PING": "-LOADING Redis is loading the dataset in memory\r\n"}) as url:

        async def use() -> None:
            async with connect(url):
                raise AssertionError

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, timeout=5)


def test_a_client_survives_a_restart_of_its_server(short_tmp_path: Path) -> None:
    with (
        running_server(packaged_binary(), short_tmp_path, appendonly="yes") as server,
        connect_sync(server.url) as client,
    ):
        client.set("kept", 1)
        server.kill()
        starting = threading.Thread(target=server.start)
        starting.start()
        assert client.get("kept") == b"1"
        starting.join()


async def test_an_asyncio_client_survives_a_restart_of_its_server(short_tmp_path: Path) -> None:
    with running_server(packaged_binary(), short_tmp_path, appendonly="yes") as server:
        async with connect(server.url) as client:
            await client.set("kept", 1)
            server.kill()
            starting = asyncio.create_task(asyncio.to_thread(server.start))
            assert await client.get("kept") == b"1"
            await starting


def test_a_server_that_is_loading_its_data_is_waited_for(loading_server: RedisServer) -> None:
    with connect_sync(loading_server.url) as client:
        assert client.dbsize() == LOADING_KEYS


def test_a_server_that_loads_for_too_long_is_an_error(
    loading_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_check, "LOADED_WITHIN_SECONDS", 0.0)
    assert "is still loading its data" in refusal(loading_server.url)


def test_rights_beyond_reading_and_writing_are_not_needed(redis_server: RedisServer) -> None:
    with connect_sync(redis_server.url) as admin:
        admin.execute_command("ACL SETUSER worker on >secret ~* -@all +get +set")
        try:
            with connect_sync(f"unix://worker:secret@{redis_server.socket_path}") as client:
                client.set("a", 1)
                assert client.get("a") == b"1"
        finally:
            admin.acl_deluser("worker")


# What cannot be used, and what is said about it.


async def both_refusals(url: str) -> str:
    """Return the error's text, after checking that both doors give the same one."""
    with pytest.raises(RedisError) as caught:
        async with connect(url):
            pass
    assert str(caught.value) == refusal(url)
    return str(caught.value)


def refusal(url: str) -> str:
    with pytest.raises(RedisError) as caught, connect_sync(url):
        pass
    return str(caught.value)


async def test_nobody_listens() -> None:
    port = free_port()
    said = await both_refusals(f"redis://:secret@127.0.0.1:{port}")
    assert said.startswith(f"Redis at redis://127.0.0.1:{port} cannot be reached: ")
    assert "Connection refused" in said
    assert "secret" not in said


def test_no_such_host() -> None:
    assert "does not resolve" in refusal("redis://no-such-host.invalid")


def test_no_such_socket(tmp_path: Path) -> None:
    said = refusal(f"unix://{tmp_path}/none")
    assert said.startswith(f"Redis at unix://{tmp_path}/none cannot be reached: there is no such")


def test_a_socket_nobody_listens_to(short_tmp_path: Path) -> None:
    path = short_tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert "Connection refused" in refusal(f"unix://{path}")


def test_a_server_that_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}?socket_timeout=0.1"
        assert "did not answer in time" in refusal(url)


def test_something_that_is_no_redis() -> None:
    with fake_redis({"PING": "HTTP/1.1 400 Bad Request\r\n"}) as url:
        assert refusal(url).startswith(f"Redis at {url} ")


@pytest.mark.parametrize(
    "info", [bulk("# Server\r\nredis_version:5.0.7\r\n"), bulk("redis_version:6.0.16\r\n")]
)
async def test_a_server_too_old_for_hello(info: str) -> None:
    with fake_redis({"PING": "+PONG\r\n", "INFO": info}) as url:
        said = await both_refusals(url)
        version = info.partition("redis_version:")[2].strip()
        assert said.startswith(f"Redis at {url} is version {version}, which is too old.")
        assert "6.2 or later" in said


def test_a_server_too_old_that_says_hello() -> None:
    hello = "*4\r\n" + "".join(map(bulk, ["server", "redis", "version", "6.0.16"]))
    with fake_redis({"PING": "+PONG\r\n", "HELLO": hello}) as url:
        assert "is version 6.0.16, which is too old" in refusal(url)


def test_a_proxy_that_does_not_tell_its_version_is_used() -> None:
    with (
        fake_redis({"PING": "+PONG\r\n", "GET": "$1\r\n1\r\n"}) as url,
        connect_sync(url) as client,
    ):
        assert client.get("a") == b"1"


@pytest.fixture
def guarded_server(short_tmp_path: Path) -> Iterator[RedisServer]:
    with running_server(packaged_binary(), short_tmp_path, requirepass="s3cret") as server:
        yield server


async def test_a_missing_password(guarded_server: RedisServer) -> None:
    said = await both_refusals(guarded_server.url)
    assert said.startswith(f"Redis at {guarded_server.url} asks for a password.")


async def test_a_wrong_password(guarded_server: RedisServer) -> None:
    said = await both_refusals(f"unix://:wr0ng@{guarded_server.socket_path}")
    assert "refused the user name or password" in said
    assert "wr0ng" not in said


def test_the_right_password(guarded_server: RedisServer) -> None:
    with connect_sync(f"unix://:s3cret@{guarded_server.socket_path}") as client:
        client.set("a", 1)
        assert "s3cret" not in repr(client)


def test_a_password_nobody_asked_for(redis_6_2: RedisServer) -> None:
    said = refusal(f"unix://:s3cret@{redis_6_2.socket_path}")
    assert "asks for no password, but the URL holds one" in said


def test_a_database_that_does_not_exist(redis_url: str) -> None:
    assert "DB index is out of range" in refusal(f"{redis_url}?db=999")


def test_a_sentinel_or_cluster_node_is_not_a_server(short_tmp_path: Path) -> None:
    binary = packaged_binary()
    with running_server(binary, short_tmp_path / "s", tcp=True, sentinel=True) as sentinel:
        assert "is a Sentinel. Use redis+sentinel://host:port/service." in refusal(sentinel.url)
    with running_server(binary, short_tmp_path / "c", cluster_enabled="yes") as node:
        assert "is a node of a cluster. Use redis+cluster://" in refusal(node.url)


LOADING_KEYS = 60


@pytest.fixture
def loading_server(short_tmp_path: Path) -> Iterator[RedisServer]:
    """Give a server that takes a good part of a second to load its data."""
    with running_server(packaged_binary(), short_tmp_path, rdbcompression="no") as server:
        with server.client() as client:
            client.mset({f"key:{number}": "x" * 100_000 for number in range(LOADING_KEYS)})
            client.save()
        server.kill()
        server.settings["key-load-delay"] = "10000"  # microseconds
        server.start()
        yield server
