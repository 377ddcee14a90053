"""The tool against a real MediaWiki, and against servers that fail."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import mediawiki
from tests.support.web_server import Answer, Fault, WebServer, web_server
from treadle.core.calls import Effect
from treadle.core.chosen_servers import MAX_BYTES
from treadle.core.settings import Settings
from treadle.tools import Tool, ToolContext, build_tool
from treadle.tools._pacing import Pacers
from treadle.tools.wikipedia import _mediawiki

LONG_AGO = "\n\n".join(f"Paragraph {n} tells of ordinary things at some length." for n in range(90))

PAGES = {
    "Ada Lovelace": f"""
'''Ada Lovelace''' (1815-1852) was an English [[mathematician]] known for her work on the
[[Analytical Engine]].

== Biography ==
=== Childhood ===
Ada was raised by her mother, who had her taught mathematics from the age of four.

=== Death ===
Lovelace died of uterine cancer on 27 November 1852, at the age of 36.

== Work ==
Her notes contain an algorithm to compute [[Bernoulli number]]s.
* Note A compares the engine with the Jacquard loom.
* Note G holds the algorithm.

{{| class="wikitable"
! Born
| 10 December 1815
|}}

== Reception ==
{LONG_AGO}

In 1980 a programming language was given her name by the Department of Defense.
""",
    "Countess of Lovelace": "#REDIRECT [[Ada Lovelace]]",
    "Analytical Engine": "The '''Analytical Engine''' was designed by Charles Babbage in 1837.",
    "Mercury": """
'''Mercury''' may refer to:
* [[Mercury (planet)]], the planet closest to the Sun
* [[Mercury (element)]], a metal that is liquid at room temperature
== People ==
* [[Freddie Mercury]], singer
__DISAMBIG__
""",
    "Mercury (planet)": "'''Mercury''' is the planet closest to the Sun; a year takes 88 days.",
    "Mercury (element)": "'''Mercury''' is a chemical element with the symbol Hg.",
    "Löwe": "Der '''Löwe''' ist eine Großkatze.",
    "Go": "'''Go''' is a board game.",
    "Empty": "",
}


@pytest.fixture(scope="session")
def wiki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mediawiki.MediaWiki]:
    if problem := mediawiki.missing():
        pytest.skip(problem)
    with mediawiki.running_wiki(tmp_path_factory.mktemp("wiki"), PAGES) as running:
        yield running


@pytest.fixture(params=["with_extracts", "bare"])
def api_url(request: pytest.FixtureRequest, wiki: mediawiki.MediaWiki) -> str:
    """Give a wiki like Wikipedia, then one without extensions."""
    return wiki.api_url if request.param == "with_extracts" else wiki.bare_api_url


def tool_at(api_url: str) -> Tool:
    settings = Settings.model_validate({"tools": {"wikipedia": {"api_url": api_url}}})
    tool = build_tool("wikipedia", ToolContext(Path(), settings, None))
    assert isinstance(tool, Tool)
    return tool


async def ask(api_url: str, query: str, **more: str) -> tuple[str, list[dict[str, str]]]:
    call = {"type": "tool_call", "id": "1", "name": "wikipedia", "args": {"query": query, **more}}
    message = await tool_at(api_url).ainvoke(call)
    return message.content, (message.artifact or {}).get("sources", [])


async def test_the_best_section_comes_first_with_its_heading_and_address(api_url):
    text, sources = await ask(api_url, "Ada Lovelace cancer death")
    assert "From the article 'Ada Lovelace'" in text
    assert sources[0]["title"] == "Ada Lovelace"
    assert sources[0]["locator"] == "Biography / Death"
    assert sources[0]["uri"].endswith("/index.php/Ada_Lovelace")
    first = text.split("[^")[1]
    assert "uterine cancer on 27 November 1852" in first


async def test_a_name_alone_is_answered_from_the_beginning(api_url):
    text, sources = await ask(api_url, "Ada Lovelace")
    assert sources[0]["locator"] == ""
    assert "English mathematician" in text.split("[^")[1]


async def test_the_paragraph_that_matches_is_shown_of_a_long_section(api_url):
    text, sources = await ask(api_url, "Ada Lovelace programming language")
    assert sources[0]["locator"] == "Reception"
    assert "In 1980 a programming language" in text
    assert len(text) < 9_000


async def test_lists_keep_their_items_apart(api_url):
    text, _ = await ask(api_url, "Ada Lovelace loom")
    assert "Note A compares the engine with the Jacquard loom.\nNote G holds" in text


async def test_a_redirect_leads_to_the_article(api_url):
    text, sources = await ask(api_url, "Countess of Lovelace")
    assert "From the article 'Ada Lovelace'" in text
    assert {source["title"] for source in sources} == {"Ada Lovelace"}


async def test_a_whole_question_still_finds_its_article(api_url):
    text, sources = await ask(api_url, "When did Ada Lovelace die, and of what?")
    assert "From the article 'Ada Lovelace'" in text
    assert sources


async def test_an_ambiguous_title_is_answered_with_the_choices(api_url):
    text, sources = await ask(api_url, "mercury")
    assert "may mean several things" in text
    assert "- Mercury (planet), the planet closest to the Sun" in text
    assert "- Freddie Mercury, singer" in text
    assert not sources


async def test_a_choice_is_then_found(api_url):
    text, _ = await ask(api_url, "Mercury (planet)")
    assert "a year takes 88 days" in text


async def test_other_letters_work(api_url):
    text, sources = await ask(api_url, "Löwe")
    assert "Großkatze" in text
    assert sources[0]["uri"].endswith("/L%C3%B6we")


async def test_a_short_title_is_found_by_its_name(api_url):
    assert "board game" in (await ask(api_url, "Go"))[0]


async def test_what_is_not_there_is_answered_with_the_nearest_titles(api_url):
    text, sources = await ask(api_url, "Ada Lovelase")
    assert "has no article about 'Ada Lovelase'" in text
    assert "Nearest titles: Ada Lovelace" in text
    assert not sources


async def test_nothing_alike_is_said_plainly(api_url):
    text, _ = await ask(api_url, "zzyzx qwrtp")
    assert "has no article about 'zzyzx qwrtp'" in text
    assert "Nearest" not in text


async def test_an_empty_article_is_said_to_be_empty(api_url):
    assert "It holds no text" in (await ask(api_url, "Empty"))[0]


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "AND (",
        "a|b|c",
        "Talk:Ada Lovelace",
        "Special:Version",
        "[[x]]",
        "é" * 4_000,
        "#",
        "\0",
    ],
)
async def test_odd_queries_get_an_answer(api_url, query):
    text, _ = await ask(api_url, query)
    assert "no article about" in text or "empty" in text


async def test_an_empty_query_is_refused():
    assert "The query is empty" in (await ask("http://127.0.0.1:1/api.php", " "))[0]


@pytest.mark.parametrize("language", ["french", "en/../x", "e", "evil.example/"])
async def test_what_is_no_language_code_is_refused(language):
    text, _ = await ask("http://127.0.0.1:1/api.php", "Go", language=language)
    assert "is not the code of a Wikipedia edition" in text


async def test_twenty_calls_at_once_do_not_disturb_each_other(wiki):
    titles = ["Ada Lovelace", "Analytical Engine", "Go", "Mercury (planet)"] * 5
    answers = await asyncio.gather(*(ask(wiki.api_url, title) for title in titles))
    for title, (_, sources) in zip(titles, answers, strict=True):
        assert sources[0]["title"] == title


def test_it_works_without_an_event_loop(wiki):
    tool = tool_at(wiki.api_url)
    assert "board game" in tool.invoke({"query": "Go"})
    assert "board game" in tool.invoke({"query": "Go"})


# A server that fails.


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with web_server() as web:
        yield web


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=403), "answered with HTTP 403"),
        (Answer(status=404), "answered with HTTP 404"),
        (Answer(status=500), "answered with HTTP 500"),
        (Answer(status=429, headers={"retry-after": "3600"}), "slow down .* Wait 3600 seconds"),
        (Answer(status=429), "slow down .* Go on without it"),
        (Answer("<html>Hello</html>"), "does not answer as a MediaWiki does"),
        (Answer("[]"), "does not answer as a MediaWiki does"),
        (Answer('{"ok": true}'), "does not answer as a MediaWiki does"),
        (Answer(json.dumps({"error": {"info": "The wiki sleeps."}})), "The wiki sleeps"),
        (Answer(fault=Fault.DROP), "cannot be reached"),
        (Answer("{", fault=Fault.HALF), "cannot be reached"),
        (Answer(fault=Fault.HANG), "gave no answer within 0.2 seconds"),
    ],
)
async def test_failures_are_told_apart(server, monkeypatch, answer, told):
    monkeypatch.setattr(_mediawiki, "REQUEST_SECONDS", 0.2)
    server.answer = answer
    async with asyncio.timeout(5):
        text, sources = await ask(f"{server.url}/api.php", "Go")
    assert not sources
    assert re.search(told, text), text


HOSTILE = [
    (Answer(status=302, headers={"location": "{elsewhere}/api.php"}), "which is not asked"),
    (Answer(b" " * (MAX_BYTES + 1)), "is longer than 10,000,000 bytes"),
    (
        Answer(gzip.compress(b" " * (5 * MAX_BYTES), 1), headers={"content-encoding": "gzip"}),
        "is longer than 10,000,000 bytes",
    ),
]


@pytest.mark.parametrize(("answer", "told"), HOSTILE)
async def test_a_hostile_wiki_leads_nowhere_and_fills_nothing(server, answer, told):
    async with web_server() as elsewhere:
        headers = {name: v.format(elsewhere=elsewhere.url) for name, v in answer.headers.items()}
        server.answer = replace(answer, headers=headers)
        text, sources = await ask(f"{server.url}/api.php", "Go")
    assert not sources
    assert told in text
    assert not elsewhere.requests


async def test_a_wiki_that_asks_us_to_slow_down_is_left_alone(server):
    server.answer = Answer(status=429, headers={"retry-after": "30"})
    await ask(f"{server.url}/api.php", "Go")
    asked = len(server.requests)
    text, _ = await ask(f"{server.url}/api.php", "Go")
    assert "refused us lately and is left alone for" in text
    assert len(server.requests) == asked


async def test_all_that_ask_one_wiki_share_its_pace():
    pacers = Pacers(interval_seconds=0.1)
    assert pacers.of("a") is pacers.of("a")
    assert pacers.of("a") is not pacers.of("b")
    assert [round(pacers.of("a").next_turn(), 1) for _ in range(3)] == [0.0, 0.1, 0.2]


async def test_without_a_network_it_says_so():
    text, _ = await ask("http://127.0.0.1:1/api.php", "Go")
    assert "cannot be reached" in text
    assert "no network" in text


async def test_it_introduces_itself(server):
    server.answer = Answer('{"batchcomplete": true}', content_type="application/json")
    await ask(f"{server.url}/api.php", "Go")
    assert all(r.headers["user-agent"].startswith("treadle/") for r in server.requests)


async def test_what_it_declares():
    tool = tool_at("http://127.0.0.1:1/api.php")
    assert tool.effect is Effect.READ
    assert set(tool.args) == {"query", "language"}
