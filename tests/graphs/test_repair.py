"""Malformed tool calls: mended where one reading is possible, else explained, never guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, ToolMessage

from tests.support.patterns import ask, graph_of
from tests.support.recording import Recording
from treadle.core.boundary import boundary
from treadle.core.calls import Effect
from treadle.graphs import react
from treadle.graphs._repair import fit, read_arguments
from treadle.runtime.testing import ScriptedOpenAI, broken_call, call, calls, say
from treadle.tools import tool

VALUES = [
    {"to": "Ada", "amount": 12},
    {"to": "it's Ada", "amount": 1200},
    {"to": 'a "b", {c: [d]}', "amount": 7},
    {"to": "Zoë, Łódź 日本", "amount": 0},
    {"to": "true, None, ]", "amount": -3},
    {"to": "tab\tand\nline", "amount": 5},
    {"to": "", "amount": 1},
    {"to": "a\\b", "amount": 99},
    {"to": "x" * 200, "amount": 10**12},
    {"to": "null", "amount": 4, "urgent": True},
]

MENDABLE = {
    "trailing comma": lambda v: json.dumps(v)[:-1] + ",}",
    "trailing comma and blanks": lambda v: json.dumps(v)[:-1] + " ,\n }",
    "python": repr,
    "python with a trailing comma": lambda v: repr(v)[:-1] + ",}",
    "fenced": lambda v: f"```json\n{json.dumps(v)}\n```",
    "fenced python": lambda v: f"```\n{v!r}\n```",
    "twice encoded": lambda v: json.dumps(json.dumps(v)),
    "blanks around": lambda v: f"\n  {json.dumps(v)[:-1]},}}  ",
    "raw control characters": lambda v: json.dumps(v)[:-1].replace("\\n", "\n") + ",}",
    "a number as text": lambda v: json.dumps({**v, "amount": str(v["amount"])}),
}

HOPELESS = {
    "cut after the first name": lambda v: json.dumps(v)[:6],
    "cut in the number": lambda v: json.dumps(v).rpartition('"amount": ')[0] + '"amount": 1',
    "not closed": lambda v: json.dumps(v)[:-1],
    "closed twice": lambda v: json.dumps(v) + "}",
    "two objects": lambda v: json.dumps(v) * 2,
    "a list": lambda v: json.dumps([v]),
    "no value": lambda v: json.dumps(v)[:-1] + ', "note": }',
    "two commas": lambda v: json.dumps(v)[:-1] + ",,}",
    "a name twice": lambda v: json.dumps(v)[:-1] + ', "amount": 5,}',
    "prose": lambda v: f"I would send {v['amount']} to {v['to']}",
}

CORPUS = [
    (kind, value, write(value), is_mendable)
    for forms, is_mendable in ((MENDABLE, True), (HOPELESS, False))
    for kind, write in forms.items()
    for value in VALUES
]


@pytest.mark.parametrize("is_watched", [True, False])
async def test_of_200_malformed_calls_none_is_executed_wrongly_and_none_ends_the_run(
    is_watched,
) -> None:
    made: list[dict[str, object]] = []

    @tool(effect=Effect.ONCE)
    async def send(to: str, amount: int, urgent: bool = False) -> str:
        """Send money.

        Args:
            to: to whom.
            amount: how much.
            urgent: whether it is urgent.
        """
        made.append({"to": to, "amount": amount, **({"urgent": True} if urgent else {})})
        return json.dumps(made[-1])

    assert len(CORPUS) == 200
    # An answer that arrives whole and holds arguments that are JSON but no object is refused by
    # LangChain's own parser, and asked for again: see the test below.
    corpus = [each for each in CORPUS if is_watched or each[0] not in {"a list", "twice encoded"}]
    answer = calls(*(broken_call("send", text) for _, _, text, _ in corpus))
    with ScriptedOpenAI([answer, say("Done.")]) as server:
        graph = graph_of(react, server, tools=[send])
        with boundary(Recording(), thread_id="1", run_id="run", is_watched=is_watched):
            state = await graph.ainvoke({"messages": [HumanMessage("Pay.")]})
    calling = next(m for m in state["messages"] if getattr(m, "tool_calls", None))
    told = {m.tool_call_id: m.text for m in state["messages"] if isinstance(m, ToolMessage)}
    assert state["messages"][-1].text == "Done."
    assert len(told) == len(calling.tool_calls) == len(corpus)
    assert len(made) == sum(is_mendable for *_, is_mendable in corpus)
    meant = [json.dumps(value) for _, value, _, is_mendable in corpus if is_mendable]
    shown = [text for text in told.values() if "no JSON object" not in text]
    assert sorted(shown) == sorted(meant)
    print(f"{len(made)} of {len(corpus)} malformed calls repaired, the rest told")  # noqa: T201 - the share


async def test_a_whole_answer_with_arguments_that_are_a_list_is_asked_for_again() -> None:
    @tool(effect=Effect.READ)
    def look_up(topic: str) -> str:
        """Look up.

        Args:
            topic: what.
        """
        return topic

    script = [broken_call("look_up", "[1]"), call("look_up", topic="x"), say("Done.")]
    with ScriptedOpenAI(script) as server:
        graph = graph_of(react, server, tools=[look_up])
        with boundary(Recording(), thread_id="1", run_id="run", is_watched=False):
            state = await graph.ainvoke({"messages": [HumanMessage("Look.")]})
    assert [m.text for m in state["messages"]][-2:] == ["x", "Done."]


async def test_an_unknown_tool_is_answered_with_the_nearest() -> None:
    @tool(effect=Effect.READ)
    def look_up(topic: str) -> str:
        """Look up.

        Args:
            topic: what.
        """
        return topic

    script = [broken_call("lookup", '{"topic": "x"}'), say("Done.")]
    with ScriptedOpenAI(script) as server:
        state = await ask(graph_of(react, server, tools=[look_up]))
    told = next(m for m in state["messages"] if isinstance(m, ToolMessage))
    assert "No tool is named 'lookup'. Did you mean 'look_up'? There are: look_up." in told.text
    assert told.status == "error"


async def test_a_readable_call_beside_an_unreadable_one_is_made() -> None:
    @tool(effect=Effect.READ)
    def look_up(topic: str) -> str:
        """Look up.

        Args:
            topic: what.
        """
        return f"found {topic}"

    both = calls(call("look_up", topic="x"), broken_call("look_up", '{"topic": "y'))
    with ScriptedOpenAI([both, say("Done.")]) as server:
        state = await ask(graph_of(react, server, tools=[look_up]))
    told = [m.text for m in state["messages"] if isinstance(m, ToolMessage)]
    assert told[0] == "found x"
    assert "Unterminated string" in told[1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=8), JSON, min_size=1, max_size=4)


@given(ARGUMENTS, st.sampled_from([repr, json.dumps, lambda v: json.dumps(v)[:-1] + ",}"]))
def test_what_is_mended_is_what_was_meant(arguments, write):
    assert read_arguments(write(arguments)) in (arguments, None)
    assert read_arguments(json.dumps(arguments)) == arguments


@given(ARGUMENTS, st.data())
def test_what_is_cut_short_is_never_closed(arguments, data):
    text = json.dumps(arguments)
    assert read_arguments(text[: data.draw(st.integers(0, len(text) - 1))]) is None


@given(st.text())
def test_any_text_is_read_or_refused(text):
    assert isinstance(read_arguments(text), dict | None)


@pytest.mark.parametrize(
    ("value", "kind", "fitted"),
    [
        ("12", "integer", 12),
        ("12.5", "integer", "12.5"),
        ("012", "integer", "012"),
        ("12.5", "number", 12.5),
        ("1e999", "number", "1e999"),
        ("NaN", "number", "NaN"),
        ("True", "boolean", True),
        ("yes", "boolean", "yes"),
        ("1", "boolean", "1"),
        ("true", "integer", "true"),
        ("[1]", "array", [1]),
        ("[1]", "string", "[1]"),
        ('{"a": 1}', "object", {"a": 1}),
        ("12", None, "12"),
    ],
)
def test_a_text_becomes_what_the_schema_asks_for(value, kind, fitted):
    found = fit(value, {"type": kind} if kind else {})
    assert (found, type(found)) == (fitted, type(fitted))
