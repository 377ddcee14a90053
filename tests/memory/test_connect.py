from tests.support.redis_servers import RedisServer

from treadle.memory import connect, connect_sync


async def test_connect_gives_a_client_that_works(redis_server: RedisServer) -> None:
    async with connect(redis_server.url) as client:
        await client.set("greeting", b"hello")
        assert await client.get("greeting") == b"hello"


def test_connect_sync_gives_a_client_that_works(redis_server: RedisServer) -> None:
    with connect_sync(redis_server.url) as client:
        client.set("greeting", b"hello")
        assert client.get("greeting") == b"hello"
