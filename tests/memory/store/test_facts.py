"""Facts about the same thing take each other's place, and what was true when stays known."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from tests.memory.store.conftest import by_letters
from tests.support.redis_servers import RedisServer
from treadle.core.errors import InputError
from treadle.memory.store import Fact, Facts, RecordError, RedisStore

NAMESPACE = ("users", "alice", "facts")
DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["redis", "redis with vectors", "in memory"])
def facts(request: pytest.FixtureRequest, client: redis.Redis) -> Facts:
    stores: dict[str, BaseStore] = {
        "redis": RedisStore(client),
        "redis with vectors": RedisStore(client, index=by_letters("text")),
        "in memory": InMemoryStore(),
    }
    return Facts(stores[request.param], NAMESPACE)


def texts(found: list[Fact]) -> list[str]:
    return [fact.text for fact in found]


async def test_a_new_fact_takes_the_place_of_the_one_before(facts: Facts) -> None:
    await facts.remember("She lives in Lyon.", about="home city", said_at=START)
    await facts.remember("She lives in Oslo.", about="Home  City", said_at=START + DAY)
    assert texts(await facts.current()) == ["She lives in Oslo."]
    assert texts(await facts.current("Lyon")) == ["She lives in Oslo."]
    assert texts(await facts.as_of(START + DAY / 2)) == ["She lives in Lyon."]
    assert await facts.as_of(START - DAY) == []
    old, new = await facts.history("home city")
    assert (old.until, new.until) == (new.said_at, None)


async def test_a_fact_that_arrives_late_holds_for_its_own_time(facts: Facts) -> None:
    for day in (0, 4, 2, 1, 3):
        await facts.remember(f"city {day}", about="home", said_at=START + day * DAY)
    assert texts(await facts.current()) == ["city 4"]
    for day in range(5):
        assert texts(await facts.as_of(START + day * DAY)) == [f"city {day}"]
    ends = [fact.until for fact in await facts.history("home")]
    assert ends == [START + day * DAY for day in (1, 2, 3, 4)] + [None]


async def test_what_is_known_already_changes_nothing(facts: Facts) -> None:
    first = await facts.remember("Likes tea.", about="drink", said_at=START)
    again = await facts.remember("likes  TEA", about="the drink", said_at=START + DAY)
    assert again == first == (await facts.current())[0]
    await facts.remember("Likes mate.", about="drink", said_at=START + 2 * DAY, id="key")
    await facts.remember("Likes tea.", about="drink", said_at=START + 3 * DAY)
    await facts.remember("Likes mate.", about="drink", said_at=START + 9 * DAY, id="key")
    late = await facts.remember("Likes tea!", about="drink", said_at=START + DAY)
    assert late.said_at == START
    assert texts(await facts.history("drink")) == ["Likes tea.", "Likes mate.", "Likes tea."]


async def test_the_best_facts_first(facts: Facts) -> None:
    for number, (about, text) in enumerate(
        [
            ("dog", "Her dog is called Rex."),
            ("job", "She works as a baker in Bergen."),
            ("diet", "She eats no meat."),
        ]
    ):
        await facts.remember(text, about=about, said_at=START + number * DAY)
    assert texts(await facts.current("Where is the baker working?", limit=1)) == [
        "She works as a baker in Bergen."
    ]
    assert len(await facts.current("dogs")) == 3
    assert texts(await facts.current("dogs", limit=1)) == ["Her dog is called Rex."]
    assert texts(await facts.current(limit=2)) == [
        "She eats no meat.",
        texts(await facts.current("baker", 1))[0],
    ]
    assert texts(await facts.as_of(START, "meat")) == ["Her dog is called Rex."]
    assert await facts.current(limit=0) == []


async def test_meaning_ranks_where_the_store_has_an_index(client: redis.Redis) -> None:
    facts = Facts(RedisStore(client, index=by_letters("text")), NAMESPACE)
    await facts.remember("aaaa", about="x", said_at=START)
    await facts.remember("zzzz", about="y", said_at=START + DAY)
    assert texts(await facts.current("aa", limit=1)) == ["aaaa"]
    await facts.remember("bbbb", about="x", said_at=START + 2 * DAY)
    assert texts(await facts.as_of(START + DAY, "aa", limit=1)) == ["aaaa"]


async def test_500_contradicted_facts(facts: Facts) -> None:
    order = [(n, version) for n in range(500) for version in range(2)]
    random.Random(7).shuffle(order)
    for n, version in order:
        moment = START + version * DAY
        text = f"Person {n} likes number {1000 * version + n}."
        await facts.remember(text, about=f"person {n}", said_at=moment)
    held = await facts.current(limit=1_000)
    assert len(held) == 500
    true_now = {f"Person {n} likes number {1000 + n}." for n in range(500)}
    assert true_now == set(texts(held))
    for n in range(0, 500, 25):
        stale = f"Person {n} likes number {n}."
        assert true_now.issuperset(texts(await facts.current(stale)))
    then = await facts.as_of(START + DAY / 2, limit=1_000)
    assert {f"Person {n} likes number {n}." for n in range(500)} == set(texts(then))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc")), max_size=12))
async def test_any_order_of_arrival(client: redis.Redis, said: list[tuple[int, str]]) -> None:
    client.flushall()
    facts = Facts(RedisStore(client), NAMESPACE)
    latest: dict[int, str] = {}
    for day, text in said:
        latest[day] = text
        await facts.remember(text, about="x", said_at=START + day * DAY, id=f"{day}{text}")
    line = await facts.history("x")
    for fact, after in pairwise(line):
        assert fact.said_at <= after.said_at == fact.until
    assert [fact.until is None for fact in line] == [False] * (len(line) - 1) + [True] * bool(line)
    days = {day for day, _ in said}
    for moment in (START + day * DAY for day in days):
        assert len(await facts.as_of(moment)) == 1


async def test_many_writers_lose_nothing(redis_server: RedisServer) -> None:
    async with (
        RedisStore.from_conn_string(redis_server.url) as one,
        RedisStore.from_conn_string(redis_server.url) as other,
    ):
        writers = [Facts(one, NAMESPACE), Facts(other, NAMESPACE)]
        days = list(range(40))
        random.Random(3).shuffle(days)
        await asyncio.gather(
            *(
                writers[day % 2].remember(f"v{day}", about="x", said_at=START + day * DAY)
                for day in days
            )
        )
        line = await writers[0].history("x")
        assert texts(line) == [f"v{day}" for day in range(40)]
        assert [fact.until for fact in line] == [*(fact.said_at for fact in line[1:]), None]
        assert texts(await writers[1].current()) == ["v39"]


async def test_forgetting_one_thing(facts: Facts) -> None:
    await facts.remember("Lyon", about="home", said_at=START)
    await facts.remember("Oslo", about="home", said_at=START + DAY)
    await facts.remember("tea", about="drink")
    assert await facts.forget("Home") == 2
    assert await facts.forget("Home") == 0
    assert texts(await facts.as_of(START + DAY / 2)) == []
    assert texts(await facts.current()) == ["tea"]


async def test_moments_without_a_zone_are_utc(facts: Facts) -> None:
    fact = await facts.remember("x", about="y", said_at=datetime(2026, 1, 1))
    assert fact.said_at == START
    assert texts(await facts.as_of(datetime(2026, 1, 1))) == ["x"]


@pytest.mark.parametrize(
    ("text", "about"), [("", "x"), ("x", ""), ("x", " .. "), ("x" * 4001, "x"), ("x", "x" * 201)]
)
async def test_what_says_nothing_is_refused(facts: Facts, text: str, about: str) -> None:
    with pytest.raises(InputError, match="fact"):
        await facts.remember(text, about=about)


async def test_a_record_that_is_no_fact(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(client)
    facts = Facts(store, NAMESPACE)
    await facts.remember("tea", about="drink")
    item = store.search((*NAMESPACE, "current"))[0]
    await facts.remember("Oslo", about="home")
    store.put(item.namespace, item.key, {"id": 1, "said_at": "never"})
    assert texts(await facts.current()) == ["Oslo"]
    assert item.key in caplog.text
    with pytest.raises(RecordError, match=item.key):
        await facts.remember("mate", about="drink")
