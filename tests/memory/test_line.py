"""Scripts share one connection, and lose nothing by it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from treadle.core.errors import RedisError
from treadle.memory import connect
from treadle.memory.scripts import Pipeline, Script, ScriptCall, driver_of

COUNT = Script.of("return {redis.call('INCR', KEYS[1]), ARGV[1]}")
FAIL = Script.of("return redis.error_reply('ERR no')")


def count(text: str) -> ScriptCall:
    return ScriptCall(COUNT, ("treadle:counted",), (text,))


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with connect(redis_url) as client:
        yield client


async def test_everyone_gets_the_reply_to_what_they_asked(client):
    drivers = [driver_of(client, "test") for _ in range(3)]
    asked = [drivers[n % 3].ask(count(str(n))) for n in range(200)]
    replies = await asyncio.gather(*asked)
    assert [text for _, text in replies] == [b"%d" % n for n in range(200)]
    assert sorted(number for number, _ in replies) == list(range(1, 201))


async def test_it_takes_one_connection_for_any_number_of_scripts(client):
    driver = driver_of(client, "test")
    await driver.ask(count("first"))
    before = await client.info("stats")
    await asyncio.gather(*(driver.ask(count(str(n))) for n in range(100)))
    after = await client.info("stats")
    assert after["total_connections_received"] == before["total_connections_received"]


async def test_an_error_is_told_to_the_one_who_caused_it(client):
    driver = driver_of(client, "test")
    await driver.ask(count("0"))
    replies = await asyncio.gather(
        driver.ask(count("a")),
        driver.ask(ScriptCall(FAIL, ("treadle:counted",), ())),
        driver.ask(count("b")),
        return_exceptions=True,
    )
    assert [replies[0], replies[2]] == [[2, b"a"], [3, b"b"]]
    assert isinstance(replies[1], RedisError)


async def test_what_is_no_longer_waited_for_shifts_no_reply(client):
    driver = driver_of(client, "test")
    await driver.ask(count("0"))
    dropped = asyncio.create_task(driver.ask(count("dropped")))
    await asyncio.sleep(0)
    kept = asyncio.create_task(driver.ask(count("kept")))
    await asyncio.sleep(0)
    dropped.cancel()
    assert await kept == [3, b"kept"]
    assert await driver.ask(count("next")) == [4, b"next"]


async def test_a_lost_connection_is_made_again(client):
    driver = driver_of(client, "test")
    await driver.ask(count("before"))
    await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    replies = await asyncio.gather(*(driver.ask(count(str(n))) for n in range(20)))
    assert [text for _, text in replies] == [b"%d" % n for n in range(20)]


async def test_scripts_that_the_server_forgot_are_sent_whole(client):
    driver = driver_of(client, "test")
    await driver.ask(count("before"))
    await client.script_flush()
    replies = await driver.ask(Pipeline((count("a"), count("b"))))
    assert sorted(replies) == [[2, b"a"], [3, b"b"]]


async def test_a_command_without_an_answer_in_time_is_not_sent_again(redis_url):
    async with connect(redis_url) as admin, connect(f"{redis_url}?socket_timeout=0.2") as client:
        driver = driver_of(client, "test")
        await driver.ask(count("before"))
        await admin.execute_command("CLIENT", "PAUSE", 600)
        with pytest.raises(RedisError, match="in time"):
            await driver.ask(count("late"))
        await admin.execute_command("CLIENT", "UNPAUSE")
        assert await driver_of(admin, "test").ask(count("after")) in ([2, b"after"], [3, b"after"])


async def test_a_client_of_few_connections_keeps_them(redis_url):
    async with connect(f"{redis_url}?max_connections=1") as client:
        driver = driver_of(client, "test")
        assert await driver.ask(count("a")) == [1, b"a"]
        assert await client.get("treadle:counted") == b"1"
