"""The tool against DuckDuckGo's and SearXNG's pages, served and withheld on loopback."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from ddgs.engines import ENGINES
from hypothesis import given
from hypothesis import strategies as st

from tests.support.models import settings_for
from tests.support.web_server import Answer, Fault, WebServer, web_server
from treadle.agents import Agent
from treadle.core.calls import Effect
from treadle.core.errors import ConfigError, ToolError
from treadle.core.settings import Settings
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say
from treadle.tools import Tool, ToolContext, build_tool
from treadle.tools._pacing import REST_SECONDS, Cache, NoAnswerError, Pacer
from treadle.tools.web_search import SearchChain, make_tool
from treadle.tools.web_search._duckduckgo import DuckDuckGo
from treadle.tools.web_search._searxng import MAX_BYTES, SearXNG
from treadle.tools.web_search._sources import SearchEngine, WebResult
from treadle.tools.wikipedia import Encyclopedia
from treadle.tools.wikipedia._article import Article, Hits, Section, Wiki


def result_page(*results: tuple[str, str, str]) -> str:
    """Return a page as DuckDuckGo's HTML version writes it."""
    items = "".join(
        f'<div class="result results_links"><div class="links_main result__body">'
        f'<h2 class="result__title"><a href="{url}">{title}</a></h2>'
        f'<a class="result__snippet" href="{url}">{snippet}</a></div></div>'
        for title, url, snippet in results
    )
    return f'<html><body><div id="links">{items}</div></body></html>'


GOOD_PAGE = result_page(
    ("Redis", "https://redis.io/", "An in-memory <b>data store</b>."),
    ("Valkey", "https://valkey.io/docs", "A fork."),
    ("Advertisement", "https://duckduckgo.com/y.js?ad_domain=x", "Buy."),
    ("Script", "javascript:alert(1)", "Not a page."),
)
NOTHING_FOUND = '<html><body><div class="no-results">No results.</div></body></html>'
CHALLENGE = '<html><body><form id="challenge-form">Select all ducks</form></body></html>'


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def duckduckgo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebServer]:
    """Give a server in DuckDuckGo's place."""
    async with web_server() as web:
        monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", f"{web.url}/html/")
        web.answer = Answer(GOOD_PAGE)
        yield web


@pytest.fixture
async def searxng() -> AsyncIterator[WebServer]:
    async with web_server() as web:
        web.answer = searxng_answer({"title": "Lua", "url": "https://lua.org/", "content": "A\nB"})
        yield web


def searxng_answer(*results: dict[str, str], **more: object) -> Answer:
    body = {"query": "x", "results": list(results), "unresponsive_engines": [], **more}
    return Answer(json.dumps(body), content_type="application/json")


PACKED = {"content-encoding": "gzip"}


def engine(clock: Clock, *, seconds: int = 1) -> DuckDuckGo:
    return DuckDuckGo("wt-wt", Pacer(interval_seconds=0, clock=clock), seconds)


# DuckDuckGo.


async def test_results_carry_title_address_and_snippet(duckduckgo, clock):
    assert await engine(clock).search("key value store") == [
        WebResult("Redis", "https://redis.io/", "An in-memory data store."),
        WebResult("Valkey", "https://valkey.io/docs", "A fork."),
    ]
    assert duckduckgo.requests[0].parameters["q"] == "key value store"
    assert duckduckgo.requests[0].parameters["l"] == "wt-wt"


async def test_its_own_redirects_are_taken_away(duckduckgo, clock):
    behind = "//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.org%2Fb%3Fc%3D1%26d%3D2&amp;rut=4f"
    duckduckgo.answer = Answer(result_page(("A", behind, "B")))
    assert (await engine(clock).search("x"))[0].url == "https://a.org/b?c=1&d=2"


async def test_nothing_found_is_an_answer(duckduckgo, clock):
    duckduckgo.answer = Answer(NOTHING_FOUND)
    assert await engine(clock).search("x") == []


FAILURES = [
    (Answer(status=202), "asks us to slow down (HTTP 202, its way to say so)"),
    (Answer(status=403), "refuses us (HTTP 403)"),
    (Answer(status=429), "asks us to slow down (HTTP 429)"),
    (Answer(status=500), "answered with HTTP 500"),
    (Answer(""), "sent an empty page"),
    (Answer("  \n"), "sent an empty page"),
    (Answer(CHALLENGE), "asks for proof that a person is searching"),
    (Answer("<html><body>New design</body></html>"), "sent a page in which no results can be read"),
    (Answer("\0\1\2"), "sent a page"),
    (Answer(fault=Fault.HANG), "gave no answer within 1 seconds"),
    (Answer(GOOD_PAGE, fault=Fault.DRIP), "gave no answer within 1 seconds"),
    (Answer(fault=Fault.DROP), "dropped the connection"),
    (Answer(GOOD_PAGE, fault=Fault.HALF), "dropped the connection"),
]


@pytest.mark.parametrize(("answer", "told"), FAILURES)
async def test_failures_are_told_apart(duckduckgo, clock, answer, told):
    duckduckgo.answer = answer
    with pytest.raises(NoAnswerError, match=re.escape(told)):
        await engine(clock).search("x")


async def test_without_a_network_it_says_so(monkeypatch, clock):
    monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", "http://127.0.0.1:1/")
    with pytest.raises(NoAnswerError, match="cannot be reached"):
        await engine(clock).search("x")


@pytest.mark.parametrize("refusal", [Answer(status=202), Answer(status=403), Answer(CHALLENGE)])
async def test_after_a_refusal_it_is_left_alone_for_a_while(duckduckgo, clock, refusal):
    asking = engine(clock)
    duckduckgo.answer = refusal
    with pytest.raises(NoAnswerError):
        await asking.search("x")
    duckduckgo.answer = Answer(GOOD_PAGE)
    with pytest.raises(NoAnswerError, match="left alone for 60 seconds"):
        await asking.search("x")
    assert len(duckduckgo.requests) == 1
    clock.now += REST_SECONDS
    assert await asking.search("x")


async def test_an_outage_is_no_refusal(duckduckgo, clock):
    asking = engine(clock)
    duckduckgo.answer = Answer(status=500)
    with pytest.raises(NoAnswerError):
        await asking.search("x")
    duckduckgo.answer = Answer(GOOD_PAGE)
    assert await asking.search("x")


# SearXNG.


def at(url: str, region: str = "wt-wt") -> SearXNG:
    return SearXNG(url, region, Pacer(interval_seconds=0), seconds=1)


async def test_searxng_is_asked_for_json(searxng):
    found = await at(f"{searxng.url}/", "fr-fr").search("lua")
    assert found == [WebResult("Lua", "https://lua.org/", "A B")]
    assert searxng.requests[0].path == "/search"
    assert searxng.requests[0].parameters == {"q": "lua", "format": "json", "language": "fr-FR"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=403), "must list 'json' under search.formats"),
        (Answer(status=429), "asks us to slow down (HTTP 429)"),
        (Answer(status=502), "answered with HTTP 502"),
        (Answer("<html></html>"), "does not answer as SearXNG does"),
        (Answer("[]"), "does not answer as SearXNG does"),
        (Answer('{"results": [{"title": "no address"}]}'), "does not answer as SearXNG does"),
        (Answer('{"results": ["text"]}'), "does not answer as SearXNG does"),
        (searxng_answer(unresponsive_engines=[["google", "CAPTCHA"]]), "own engines (google)"),
        (Answer(fault=Fault.HANG), "gave no answer within 1 seconds"),
        (Answer(fault=Fault.DROP), "dropped the connection"),
        (Answer(fault=Fault.DRIP), "gave no answer within 1 seconds"),
        (Answer(b" " * (MAX_BYTES + 1)), f"is longer than {MAX_BYTES:,} bytes"),
        (Answer(gzip.compress(b" " * (20 * MAX_BYTES), 1), headers=PACKED), "is longer than"),
        (Answer(b"no gzip", headers=PACKED), "is damaged"),
        (Answer(b"x", headers={"content-encoding": "br"}), "packs its answer as 'br'"),
        (Answer(status=302, headers={"location": "http://0/"}), "answered with HTTP 302"),
    ],
)
async def test_failures_of_searxng_are_told_apart(searxng, answer, told):
    searxng.answer = answer
    with pytest.raises(NoAnswerError, match=re.escape(told)):
        await at(searxng.url).search("x")


async def test_searxng_may_pack_its_answer(searxng):
    body = gzip.compress(searxng.answer.body.encode())
    searxng.answer = Answer(body, content_type="application/json", headers=PACKED)
    assert await at(searxng.url).search("x") == [WebResult("Lua", "https://lua.org/", "A B")]


async def test_searxng_that_asks_us_to_slow_down_is_left_alone_for_a_while(searxng, clock):
    ours = SearXNG(searxng.url, "wt-wt", Pacer(interval_seconds=0, clock=clock))
    good, searxng.answer = searxng.answer, Answer(status=429)
    for told in ("asks us to slow down", "left alone for 60 seconds"):
        with pytest.raises(NoAnswerError, match=told):
            await ours.search("x")
    assert len(searxng.requests) == 1
    searxng.answer = good
    clock.now += REST_SECONDS
    assert await ours.search("x")


async def test_searxng_that_is_not_there():
    with pytest.raises(NoAnswerError, match="cannot be reached"):
        await at("http://127.0.0.1:1").search("x")


def test_an_address_that_is_none_is_a_configuration_error():
    settings = Settings.model_validate({"tools": {"web_search": {"searxng_url": "localhost"}}})
    with pytest.raises(ConfigError, match="searxng_url = 'localhost' is no web address"):
        build_tool("web_search", ToolContext(Path(), settings, None))


# The chain.


class Bookshelf:
    """An encyclopedia of one article, or one that cannot be reached."""

    name = "The bookshelf"

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable

    @asynccontextmanager
    async def opened(self, language: str) -> AsyncIterator[Wiki]:
        if not self.reachable:
            raise ToolError("The bookshelf cannot be reached.")
        yield self

    async def search(self, query: str, limit: int) -> Hits:
        return Hits(("Redis",)) if "redis" in query.lower() else Hits()

    async def article(self, title: str) -> Article | None:
        sections = (Section("", "Redis is a store."), Section("History", "Begun in 2009."))
        return Article("Redis", "http://books/redis", sections) if title == "Redis" else None


def chain_of(
    *engines: SearchEngine, clock: Clock, encyclopedia: Encyclopedia | None = None
) -> SearchChain:
    return SearchChain(engines, encyclopedia or Bookshelf(), Cache(clock=clock))


async def ask(chain: SearchChain, query: str, **more: int) -> tuple[str, list[dict[str, str]]]:
    call = {"type": "tool_call", "id": "1", "name": "web_search", "args": {"query": query, **more}}
    message = await make_tool(chain).ainvoke(call)
    return message.content, (message.artifact or {}).get("sources", [])


async def test_the_answer_says_who_found_it(duckduckgo, clock):
    text, sources = await ask(chain_of(engine(clock), clock=clock), "store", max_results=1)
    assert text.startswith("Found by DuckDuckGo.\n\n[^")
    assert "Redis\nhttps://redis.io/\nAn in-memory data store." in text
    assert sources == [{"title": "Redis", "uri": "https://redis.io/", "locator": ""}]


async def test_the_next_engine_answers_and_the_reason_is_given(duckduckgo, searxng, clock):
    duckduckgo.answer = Answer(status=429)
    chain = chain_of(engine(clock), at(searxng.url), clock=clock)
    text, sources = await ask(chain, "lua")
    assert f"Found by SearXNG at {searxng.url}." in text
    assert "DuckDuckGo asks us to slow down (HTTP 429)." in text
    assert sources[0]["uri"] == "https://lua.org/"


async def test_at_last_the_encyclopedia_answers(duckduckgo, searxng, clock):
    duckduckgo.answer = Answer(fault=Fault.DROP)
    searxng.answer = searxng_answer()
    chain = chain_of(engine(clock), at(searxng.url), clock=clock)
    text, sources = await ask(chain, "redis history")
    assert text.startswith("The bookshelf answered instead of the web.")
    assert "DuckDuckGo dropped the connection." in text
    assert f"SearXNG at {searxng.url} found nothing." in text
    assert sources[0] == {"title": "Redis", "uri": "http://books/redis", "locator": "History"}


HELD: dict[str, Tool] = {}


async def test_with_two_of_three_down_a_run_is_answered_and_its_journal_says_why(
    duckduckgo, searxng, clock, redis_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("TEST_KEY", "test-key")
    duckduckgo.answer = Answer(status=429)
    searxng.answer = Answer(status=502)
    chain = chain_of(engine(clock), at(searxng.url), clock=clock)
    HELD["tool"] = make_tool(chain)
    (tmp_path / "search.py").write_text(f"from {__name__} import HELD\nweb_search = HELD['tool']\n")
    agent = Agent(name="searcher", tools=("search.py:web_search",))
    script = [calls(call("web_search", query="redis history")), say("It is a store.")]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            reply = await rt.ask(agent, "When did Redis begin?")
            entries = [str(entry) async for entry in rt.runs.entries(reply.run_id)]
    assert reply.text == "It is a store."
    [told] = [entry for entry in entries if "answered instead of the web" in entry]
    assert "DuckDuckGo asks us to slow down (HTTP 429)." in told
    assert "answered with HTTP 502" in told
    assert "Begun in 2009." in told


async def test_nothing_found_is_told_from_nobody_answering(duckduckgo, clock):
    chain = chain_of(engine(clock), clock=clock)
    duckduckgo.answer = Answer(NOTHING_FOUND)
    text, _ = await ask(chain, "zzyzx")
    assert "Nothing was found on the web about 'zzyzx'." in text
    duckduckgo.answer = Answer(status=403)
    text, _ = await ask(chain, "zzyzx")
    assert "No search engine answered. DuckDuckGo refuses us (HTTP 403)." in text
    assert "Go on without the web" in text


async def test_without_any_network_every_reason_is_given(monkeypatch, clock):
    monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", "http://127.0.0.1:1/")
    chain = chain_of(engine(clock), clock=clock, encyclopedia=Bookshelf(reachable=False))
    text, _ = await ask(chain, "redis")
    assert "DuckDuckGo cannot be reached (there may be no network)." in text
    assert "The bookshelf cannot be reached." in text


async def test_an_answer_is_kept_for_ten_minutes(duckduckgo, clock):
    chain = chain_of(engine(clock), clock=clock)
    first, _ = await ask(chain, "Store", max_results=1)
    again, sources = await ask(chain, " store ", max_results=2)
    assert "(a few minutes ago)" in again
    assert len(sources) == 2
    assert len(duckduckgo.requests) == 1
    clock.now += 600
    await ask(chain, "store")
    assert len(duckduckgo.requests) == 2
    assert "minutes ago" not in first


async def test_a_failure_is_not_kept(duckduckgo, clock):
    chain = chain_of(engine(clock), clock=clock)
    duckduckgo.answer = Answer(status=500)
    await ask(chain, "store")
    duckduckgo.answer = Answer(GOOD_PAGE)
    assert "Found by DuckDuckGo" in (await ask(chain, "store"))[0]


async def test_an_empty_query_is_refused(clock):
    assert "The query is empty" in (await ask(chain_of(clock=clock), " \0 "))[0]


async def test_calls_from_many_threads_and_loops_share_one_pace(duckduckgo):
    pacer = Pacer(interval_seconds=0.05)
    chain = SearchChain([DuckDuckGo("wt-wt", pacer)], Bookshelf(), Cache())
    tool = make_tool(chain)
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = await asyncio.gather(
        *(asyncio.to_thread(tool.invoke, {"query": f"q{n}"}) for n in range(5)),
        *(tool.ainvoke({"query": f"p{n}"}) for n in range(5)),
    )
    assert all("Found by DuckDuckGo" in answer for answer in answers)
    assert loop.time() - started >= 9 * 0.05
    assert len(duckduckgo.requests) == 10


def test_the_shipped_tools_of_a_process_share_pace_and_cache(monkeypatch):
    made = []
    monkeypatch.setattr("treadle.tools.web_search.make_tool", made.append)
    for _ in range(2):
        build_tool("web_search", ToolContext(Path(), Settings(), None))
    assert made[0].cache is made[1].cache
    assert made[0].engines[0]._pacer is made[1].engines[0]._pacer


def test_what_it_declares():
    tool = build_tool("web_search", ToolContext(Path(), Settings(), None))
    assert isinstance(tool, Tool)
    assert tool.effect is Effect.READ
    assert set(tool.args) == {"query", "max_results"}


# Pace and cache.


@given(st.lists(st.floats(0, 3), max_size=30))
def test_turns_are_never_closer_than_the_interval(pauses):
    clock = Clock()
    pacer = Pacer(interval_seconds=1.0, longest_wait_seconds=4.0, clock=clock)
    turns = []
    for pause in pauses:
        clock.now += pause
        try:
            turns.append(clock.now + pacer.next_turn())
        except NoAnswerError:
            continue
        assert turns[-1] - clock.now <= 4.0
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(turns))


def test_who_would_wait_too_long_is_turned_away(clock):
    pacer = Pacer(interval_seconds=1.0, longest_wait_seconds=2.0, clock=clock)
    assert [pacer.next_turn() for _ in range(3)] == [0.0, 1.0, 2.0]
    with pytest.raises(NoAnswerError, match="too many of our searches"):
        pacer.next_turn()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.floats(0, 30)), max_size=60))
def test_the_cache_never_grows_and_never_gives_what_is_old(steps):
    clock = Clock()
    cache: Cache[int] = Cache(seconds=20.0, entries=4, clock=clock)
    written: dict[int, tuple[float, int]] = {}
    for key, value, pause in steps:
        clock.now += pause
        kept = cache.get(key)
        if kept is not None:
            assert (clock.now - written[key][0], kept) < (20.0, 100)
            assert kept == written[key][1]
        cache.put(key, value)
        written[key] = (clock.now, value)
        assert cache.get(key) == value
        assert len(cache._kept) <= 4
