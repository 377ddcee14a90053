"""Commands are packed in C, into the very bytes that redis-py makes of them."""

import asyncio

import pytest
import redis
import redis.asyncio
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from treadle.memory import connect
from treadle.memory._redis_clients import _AsyncConnection, _AsyncSocketConnection

pytestmark = pytest.mark.any_keys("these tests use a Redis as anybody may")

ARGUMENTS = (
    st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=20)
    | st.integers()
    | st.floats(allow_nan=False)
)


@given(
    st.sampled_from(["GET", "CONFIG GET", b"SET", b"SCRIPT LOAD"]), st.lists(ARGUMENTS, max_size=6)
)
def test_the_bytes_are_those_of_redis_py(name, arguments):
    ours, theirs = _AsyncConnection(), redis.asyncio.Connection()
    expected = b"".join(theirs.pack_command(name, *arguments))
    assert b"".join(ours.pack_command(name, *arguments)) == expected
    several = [(name, *arguments), ("PING",)]
    assert b"".join(ours.pack_commands(several)) == b"".join(theirs.pack_commands(several))


@pytest.mark.parametrize("wrong", [None, [1], {"a": 1}, object()])
def test_what_is_no_argument_is_refused_as_by_redis_py(wrong):
    with pytest.raises(redis.DataError, match="Invalid input"):
        _AsyncConnection().pack_command("SET", "key", wrong)


async def test_a_long_argument_arrives_whole(redis_url):
    text = "é" * 400_000
    async with connect(redis_url) as client:
        await client.set("long", text)
        assert (await client.get("long")).decode() == text
        assert await client.config_get("maxmemory")


def test_a_closed_line_under_uvloop_is_one_that_redis_py_opens_again(redis_6_2):
    async def use():
        connection = _AsyncSocketConnection(path=str(redis_6_2.socket_path))
        for ask in (connection.send_command, connection.read_response):
            await connection.connect()
            connection._writer.transport.abort()
            await asyncio.sleep(0.01)  # uvloop closes it in its next turns.
            with pytest.raises(redis.ConnectionError):
                await ask(*(("PING",) if ask == connection.send_command else ()))
        await connection.disconnect()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use())
