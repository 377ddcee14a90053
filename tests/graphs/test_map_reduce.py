"""The map_reduce graph: a long text part by part, and one answer from the notes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patterns import ask, graph_of, is_asked
from tests.support.recording import Recording
from treadle.core.calls import Effect
from treadle.graphs import STOPPED, MapReduceOptions, map_reduce
from treadle.graphs._splitting import split_text
from treadle.memory.window import ContextWindow
from treadle.runtime.testing import ScriptedOpenAI, call, say
from treadle.tools import Passage, Source, ToolResult, tool

SOURCE = Source("Looms", "docs/looms.md")


@tool(effect=Effect.READ, max_chars=100_000)
def read_report(chapters: int) -> ToolResult:
    """Read the report.

    Args:
        chapters: how many chapters of it.
    """
    text = "\n\n".join(f"Chapter {n}. " + "word " * 90 for n in range(chapters))
    return ToolResult(passages=[Passage(text, SOURCE)])


def reading(chapters=0):
    def reply(request):
        if is_asked(request, "conclude"):
            return say("All in all.")
        if is_asked(request, "read_part"):
            return say(f"Note of {len(request.last_user_text)}")
        if is_asked(request, "combine"):
            return say("Combined.")
        return say("done") if request.tool_outputs else call("read_report", chapters=chapters)

    return reply


def combinations(parts, fan_in):
    groups = math.ceil(parts / fan_in)
    return 0 if parts <= fan_in else groups + combinations(groups, fan_in)


@pytest.mark.parametrize(
    ("paragraphs", "fan_in", "parts"), [(1, 8, 0), (2, 8, 2), (8, 8, 8), (9, 8, 9), (19, 2, 19)]
)
async def test_a_long_question_is_read_in_parts(paragraphs, fan_in, parts):
    text = "Sum this up.\n\n" + "\n\n".join(["word " * 99] * paragraphs)
    options = MapReduceOptions(part_chars=550, fan_in=fan_in)
    gate = Recording()
    with ScriptedOpenAI(reading()) as server:
        state = await ask(graph_of(map_reduce, server, options), text=text, gate=gate)
        assert len(server.requests) == parts + combinations(parts, fan_in) + 1
    assert len({one.id for one in gate.calls}) == len(gate.calls)
    assert state["messages"][-1].text == "All in all."
    assert STOPPED not in state["messages"][-1].response_metadata
    for request in server.requests[:parts]:
        assert "Sum this up." in request.last_user_text


@pytest.mark.parametrize(("chapters", "parts"), [(1, 0), (10, 10), (24, 24)])
async def test_documents_are_found_by_a_tool(chapters, parts):
    options = MapReduceOptions(part_chars=550, fan_in=5)
    with ScriptedOpenAI(reading(chapters)) as server:
        graph = graph_of(map_reduce, server, options, tools=[read_report])
        state = await ask(graph, text="What does the report say?")
        assert len(server.requests) == 2 + parts + combinations(parts, 5) + 1
    label = f"[^{SOURCE.label}]"
    assert all(label in request.last_user_text for request in server.requests[2 : 2 + parts])
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]


async def test_no_more_parts_are_read_than_allowed_and_the_answer_says_so():
    options = MapReduceOptions(part_chars=550, max_parts=3)
    with ScriptedOpenAI(reading(10)) as server:
        graph = graph_of(map_reduce, server, options, tools=[read_report])
        state = await ask(graph, text="What does the report say?")
        assert len(server.requests) == 2 + 3 + 1
    assert state["messages"][-1].response_metadata[STOPPED] == (
        "parts: only the first 3 of 10 parts were read"
    )


async def test_a_part_is_never_longer_than_half_of_the_window():
    with ScriptedOpenAI(reading(30)) as server:
        graph = graph_of(map_reduce, server, tools=[read_report], window=ContextWindow(1_000))
        await ask(graph, text="What does the report say?")
    parts = [one for one in server.requests if is_asked(one, "read_part")]
    assert len(parts) > 5
    assert all(len(one.last_user_text) < 2_100 for one in parts)


async def test_a_part_without_anything_to_the_question_leaves_no_note():
    def reply(request):
        return say("Nothing.") if is_asked(request, "read_part") else reading(10)(request)

    options = MapReduceOptions(part_chars=550, fan_in=2)
    with ScriptedOpenAI(reply) as server:
        graph = graph_of(map_reduce, server, options, tools=[read_report])
        state = await ask(graph, text="What does the report say?")
        assert len(server.requests) == 2 + 10 + 1
    assert state["reasoning"] == ""


words = st.text(alphabet="ab. \n", max_size=900)


@given(st.lists(words, max_size=6), st.integers(200, 400))
def test_splitting_loses_nothing_and_keeps_to_the_limit(texts, limit):
    parts = split_text(texts, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join("".join(texts).split())


def test_a_part_within_what_carries_a_label_begins_with_it():
    text = "[^abcdef] Looms (page 3)\n" + "A sentence about looms. " * 40
    first, *others = split_text(["Before.", text], 400)
    assert first.startswith("Before.\n\n[^abcdef]") or first == "Before."
    assert all(part.startswith("[^abcdef] Looms (page 3)\n") for part in others)
