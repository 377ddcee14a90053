"""Commands that are asked at the same moment share round trips."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from treadle.memory import connect
from treadle.memory.scripts import Script, ScriptCall, driver_of

ADD = Script.of("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
async def client(redis_url):
    async with connect(redis_url) as opened:
        await opened.ping()
        yield opened


async def reads(client):
    """Return how often the server has read from its clients."""
    return (await client.info("stats"))["total_reads_processed"]


async def test_commands_asked_together_share_trips_and_keep_their_order(client):
    before = await reads(client)
    await asyncio.gather(*(client.hset("h", f"f{n}", n) for n in range(300)))
    found = await asyncio.gather(*(client.hget("h", f"f{n}") for n in range(300)))
    assert [int(value) for value in found] == list(range(300))
    assert await reads(client) - before < 40
    await client.delete("h")


async def test_a_command_that_fails_fails_alone(client):
    await client.set("text", "x")
    asked = [client.get("text"), client.hget("text", "field"), client.get("text")]
    first, failed, last = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, last) == (b"x", b"x")
    assert isinstance(failed, ResponseError)
    await client.delete("text")


async def test_whoever_is_cancelled_disturbs_nobody(client):
    await client.set("a", "1")
    tasks = [asyncio.create_task(client.get("a")) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in found if not isinstance(one, asyncio.CancelledError)] == [b"1"] * 10
    assert await client.get("a") == b"1"
    await client.delete("a")


async def test_scripts_the_server_has_forgotten_run_once_each(client):
    await client.script_flush()
    driver = driver_of(client, "test")
    replies = await asyncio.gather(
        *(driver.ask(ScriptCall(ADD, ("{n}sum",), (2**n,))) for n in range(8))
    )
    assert max(replies) == 255
    assert await client.get("{n}sum") == b"255"
    await client.delete("{n}sum")


async def test_it_closes_when_what_is_under_way_has_ended(redis_url):
    async with connect(redis_url) as opened:
        asked = [asyncio.ensure_future(opened.get(f"k{n}")) for n in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*asked) == [None] * 100
