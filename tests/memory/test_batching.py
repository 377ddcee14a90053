"""Commands that are asked at the same moment share round trips."""

import asyncio

import pytest
import redis
import uvloop
from redis.exceptions import ResponseError

from tests.support.tcp_proxy import running_proxy
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


async def test_what_goes_together_stays_in_order_however_long(client):
    await client.delete("list")
    commands = [("RPUSH", "list", n) for n in range(300)]
    one, other = await asyncio.gather(
        client.execute_together(commands), client.execute_together([("LLEN", "list")])
    )
    assert one == list(range(1, 301))
    assert other in ([0], [300])
    assert [int(n) for n in await client.lrange("list", 0, -1)] == list(range(300))
    await client.delete("list")


async def test_a_broken_connection_is_opened_again(client):
    await client.set("text", "x")
    for _ in range(3):
        await client.client_kill_filter(_type="normal", skipme=True)
        assert await asyncio.gather(*(client.get("text") for _ in range(5))) == [b"x"] * 5
    await client.delete("text")


async def test_a_late_reply_is_nobody_elses(redis_url):
    async with connect(redis_url) as other, connect(f"{redis_url}?socket_timeout=0.2") as client:
        await other.mset({"a": "1", "b": "2"})
        assert await client.get("a") == b"1"
        await other.client_pause(600)
        with pytest.raises(redis.TimeoutError, match=r"no answer within 0\.2 seconds"):
            await client.get("a")
        await other.client_unpause()
        assert await asyncio.gather(client.get("b"), client.get("a")) == [b"2", b"1"]
        await other.delete("a", "b")


@pytest.mark.parametrize("allowed", [1, 2, 5])
async def test_its_connections_stay_within_what_was_allowed(redis_url, allowed):
    name = f"few{allowed}"
    url = f"{redis_url}?max_connections={allowed}&client_name={name}"
    async with connect(url) as client, connect(redis_url) as other:
        asked = [client.get(f"k{n}") for n in range(200)]
        blocked = [client.blpop(f"none{n}", timeout=0.05) for n in range(3)]
        await asyncio.gather(*asked, *blocked)
        named = [one for one in await other.client_list() if one["name"] == name]
    assert 1 <= len(named) <= allowed


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_line_that_was_cut_while_idle_is_opened_again(redis_6_2, new_loop):
    async def use():
        with running_proxy(str(redis_6_2.socket_path)) as proxy:
            async with connect(proxy.url) as client:
                await client.set("text", "x")
                for _ in range(3):
                    proxy.cut()
                    await asyncio.sleep(0.05)  # Until both ends of the line know it.
                    proxy.mend()
                    assert (
                        await asyncio.gather(*(client.get("text") for _ in range(5))) == [b"x"] * 5
                    )
                await client.delete("text")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(use())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_under_way_when_the_line_is_cut_is_asked_again(redis_6_2, new_loop):
    async def use():
        with running_proxy(str(redis_6_2.socket_path)) as proxy:
            async with connect(proxy.url) as client:
                await client.set("text", "x" * 10_000)
                for _ in range(10):
                    asked = [asyncio.ensure_future(client.get("text")) for _ in range(20)]
                    await asyncio.sleep(0)
                    proxy.cut()
                    more = [asyncio.ensure_future(client.get("text")) for _ in range(20)]
                    proxy.mend()
                    found = await asyncio.gather(*asked, *more)
                    assert {len(one) for one in found} == {10_000}
                await client.delete("text")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(use(), 60))


async def test_a_line_that_was_silent_for_long_is_opened_anew(client):
    await client.set("text", "x")
    before = {one["id"] for one in await client.client_list()}
    client._line._wire._heard -= 31
    assert await client.get("text") == b"x"
    after = {one["id"] for one in await client.client_list()}
    assert (len(after), len(after - before)) == (len(before), 1)
    await client.delete("text")


async def test_what_cannot_be_sent_is_refused_alone(client):
    await client.set("text", "x")
    asked = [client.get("text"), client.set("text", object()), client.get("text")]
    first, refused, last = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, last) == (b"x", b"x")
    assert isinstance(refused, redis.DataError)
    await client.delete("text")
