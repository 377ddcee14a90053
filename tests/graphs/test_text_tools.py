"""Tools for models that cannot call them: what is written is read, and nothing else is called."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.models import resolved, settings_for
from tests.support.patterns import SCHEMA, ask, look_up
from tests.support.recording import Recording
from treadle.agents import Agent, Budget
from treadle.core.calls import CallKind
from treadle.graphs import (
    STOPPED,
    GraphParts,
    PlanExecuteOptions,
    ReactOptions,
    plan_execute,
    react,
)
from treadle.graphs._text_calls import MAX_CALLS, WrittenCall, read, shown
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say
from treadle.tools import Effect, tool

TOOLS = {"look_up": {"topic": {"type": "string"}}, "now": {}}
TEXT = ReactOptions(tool_calls="text")


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ('Thought: x\nAction: look_up\nAction Input: {"topic": "looms"}', "look_up", "looms"),
        ('I need it.\n\n**Action:** `look_up`\n**Action Input:** {"topic": "looms"}', "look_up", 0),
        ("Action: look_up\nAction Input: looms", "look_up", "looms"),
        ('Action: look_up\nAction Input: "looms"', "look_up", "looms"),
        ("Action: look_up(looms)", "look_up", "looms"),
        ("Action: look_up[looms]", "look_up", "looms"),
        ('Action: look_up({"topic": "looms"})', "look_up", "looms"),
        ("Action: look_up\nAction Input: {'topic': 'looms',}", "look_up", "looms"),
        ('Action: look_up\nAction Input:\n```json\n{\n"topic": "looms"\n}\n```', 0, 0),
        ('action: look_up\naction_input: {"topic": "looms"}', "look_up", "looms"),
        ('```json\n{"action": "look_up", "action_input": {"topic": "looms"}}\n```', "look_up", 0),
        ('{"name": "look_up", "arguments": {"topic": "looms"}}', "look_up", "looms"),
        ('Well. <tool_call>{"name": "look_up", "arguments": {"topic": "looms"}}</tool_call>', 0, 0),
        ('Action: {"name": "look_up", "arguments": {"topic": "looms"}}', "look_up", "looms"),
        ('{"name": "look_up", "arguments": "{\\"topic\\": \\"looms\\"}"}', "look_up", "looms"),
        ("Action: lookup\nAction Input: {}", "lookup", {}),
        ("Action: look_up\nAction Input: {}\nObservation: It has 9.\nFinal Answer: 9", 0, {}),
    ],
)  # fmt: skip
def test_calls_are_read_in_the_forms_that_models_write(text, name, arguments):
    (found,) = read(text, TOOLS).calls
    wanted = arguments if isinstance(arguments, dict) else {"topic": arguments or "looms"}
    assert (found.name, found.arguments) == (name or "look_up", wanted)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Final Answer: It has four.", "It has four."),
        ("Thought: I know.\n**Final Answer:** It has four.\nAction: none", None),
        ("Thought: I know it: four.", "I know it: four."),
        ("It has four shafts.", "It has four shafts."),
        ("Action: None\nFinal Answer: four", "four"),
        ('{"total": 4}', '{"total": 4}'),
        ('Take this: ```json\n{"name": "loom", "shafts": 4}\n```', None),
        ("", ""),
    ],
)
def test_what_calls_nothing_is_the_answer(text, answer):
    found = read(text, TOOLS)
    assert found.calls == ()
    assert found.text == (answer if answer is not None else found.text)


BROKEN_OFF = ['{"topic": "lo', '{"topic": "looms"', '["looms"', '{"topic": }', '{"a": 1, "a": 2}']


@pytest.mark.parametrize("given", BROKEN_OFF)
def test_arguments_that_break_off_are_never_completed(given):
    (found,) = read(f"Action: look_up\nAction Input: {given}", TOOLS).calls
    assert found.arguments is None


def test_two_calls_at_once_and_not_more_than_can_be_meant():
    one = 'Action: look_up\nAction Input: {"topic": "looms"}\n'
    assert len(read(one * 2, TOOLS).calls) == 2
    assert len(read(one * 50, TOOLS).calls) == MAX_CALLS


NAMES = st.from_regex(r"[a-z][a-z_]{2,15}", fullmatch=True).filter(lambda name: name != "none")
VALUES = st.recursive(
    st.text(max_size=30) | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(NAMES, st.dictionaries(st.text(max_size=8), VALUES, max_size=4), st.text(max_size=60))
def test_whatever_is_written_in_the_form_is_read_as_it_was_meant(name, arguments, thought):
    thought = thought.replace(":", " ").replace("{", "(").strip()
    written = read(f"Thought: {thought}\n{shown(name, arguments)}", {})
    assert written.calls == (
        WrittenCall(name, arguments, json.dumps(arguments, ensure_ascii=False)),
    )


LINES = st.sampled_from(
    ["Action:", "Action Input:", "Observation:", "Final Answer:", "look_up", "{", "}", '"topic"',
     ":", '"looms"', "```", "```json", "<tool_call>", "</tool_call>", "\n", "**", "Thought:"]
) | st.text(max_size=10)  # fmt: skip


@given(st.lists(LINES, max_size=25))
def test_no_text_breaks_it(pieces):
    text = " ".join(pieces)
    written = read(text, TOOLS)
    assert len(written.calls) <= MAX_CALLS
    for one in written.calls:
        assert one.name in text
        assert one.arguments is None or isinstance(one.arguments, dict)


@given(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, min_size=1), st.integers(1, 200))
def test_a_reply_that_is_cut_short_makes_no_other_call(arguments, cut):
    whole = shown("look_up", arguments)
    broken = whole[: max(0, len(whole) - cut)]
    takes = {name: {"type": "integer"} for name in arguments}
    for one in read(broken, {"look_up": takes}).calls:
        assert one.name != "look_up" or one.arguments in (None, arguments)


def graph_of(server, pattern=react, options=TEXT, **parts):
    model = resolved(server)
    return pattern(GraphParts(model=model.chat, **{"tools": [look_up], **parts}), options)


def act(topic):
    return say(f'Thought: I look.\nAction: look_up\nAction Input: {{"topic": "{topic}"}}')


@pytest.mark.parametrize("rounds", [0, 1, 3])
async def test_a_turn_makes_one_call_more_than_it_has_rounds(rounds):
    gate = Recording()
    replies = [*(act(f"loom-{n}") for n in range(rounds)), say("Final Answer: Four [^x].")]
    with ScriptedOpenAI(replies) as server:
        state = await ask(graph_of(server), gate=gate)
        assert len(server.requests) == rounds + 1
        assert all(not request.tool_names for request in server.requests)
        assert not any(m["role"] == "tool" for r in server.requests for m in r.messages)
        assert "look_up: Look a topic up" in server.requests[0].system_text
    assert state["messages"][-1].text == "Four [^x]."
    tools = [call for call in gate.calls if call.kind is CallKind.TOOL]
    assert [call.request for call in tools] == [{"topic": f"loom-{n}"} for n in range(rounds)]
    if rounds:
        sent = server.requests[-1].messages
        assert "Observation from look_up" in sent[-1]["content"]
        assert "Action: look_up" in sent[-2]["content"]
        assert state["messages"][1].text == "I look."
        assert state["messages"][2].artifact["sources"]


async def test_a_name_that_no_tool_has_is_answered_with_the_nearest():
    replies = [say('Action: lookup\nAction Input: {"topic": "x"}'), say("Final Answer: None.")]
    with ScriptedOpenAI(replies) as server:
        state = await ask(graph_of(server))
        told = server.requests[1].messages[-1]["content"]
    assert "Did you mean 'look_up'?" in told
    assert state["messages"][2].status == "error"


async def test_arguments_that_cannot_be_read_are_told():
    replies = [say('Action: look_up\nAction Input: {"topic": "x'), say("Final Answer: None.")]
    with ScriptedOpenAI(replies) as server:
        await ask(graph_of(server))
        assert "Write them again, whole" in server.requests[1].messages[-1]["content"]


async def test_its_bounds_hold():
    with ScriptedOpenAI(lambda _: act("looms")) as server:
        state = await ask(graph_of(server, options=ReactOptions(tool_calls="text", max_steps=2)))
        assert len(server.requests) == 3
    assert state["messages"][-1].response_metadata[STOPPED].startswith("steps:")
    assert "four shafts" in state["messages"][-1].text


async def test_an_output_schema_takes_one_call_more():
    replies = [act("sums"), say("Final Answer: It is 4."), say('{"total": 4}')]
    with ScriptedOpenAI(replies) as server:
        state = await ask(graph_of(server, output=SCHEMA))
        formats = [request.response_format is not None for request in server.requests]
    assert formats == [False, False, True]
    assert state["structured_response"] == {"total": 4}


async def test_other_patterns_use_it_where_the_model_cannot_call_tools():
    plan = json.dumps({"steps": [{"id": "a", "task": "Do a.", "needs": []}]})
    replies = [say(plan), act("looms"), say("Final Answer: Four."), say("Four.")]
    with ScriptedOpenAI(replies) as server:
        graph = graph_of(
            server, plan_execute, PlanExecuteOptions(replans=0), calls_in_text=lambda _: True
        )
        state = await ask(graph)
        assert not any(request.tool_names for request in server.requests)
    assert state["messages"][-1].text == "Four."
    assert any(message.type == "tool" for message in state["messages"])


async def test_two_calls_of_one_reply_are_both_made():
    text = "Action: look_up\nAction Input: a\nAction: look_up\nAction Input: b"
    with ScriptedOpenAI([say(text), say("Final Answer: Both.")]) as server:
        state = await ask(graph_of(server))
    found = [m.text for m in state["messages"] if m.type == "tool"]
    assert [text.splitlines()[-1] for text in found] == ["a has four shafts.", "b has four shafts."]


KIT = '''
from treadle.tools import Effect, tool


@tool(effect=Effect.READ)
def look_up(topic: str) -> str:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    return f"{topic} has four shafts."
'''


async def test_the_models_profile_says_so_and_a_recorded_run_replays(
    redis_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "kit.py").write_text(KIT)

    def reply(request):
        seen = "Observation from" in str(request.messages)
        return say("Final Answer: Four.") if seen else act("looms")

    agent = Agent(name="weaver", tools=("kit.py:look_up",))
    with ScriptedOpenAI(reply) as server:
        settings = settings_for(server, tool_calls="text")
        async with Runtime.open(redis_url, tmp_path, settings=settings) as runtime:
            first = await runtime.ask(agent, "How many shafts?")
            assert (first.text, first.usage.model_calls, first.usage.tool_calls) == ("Four.", 2, 1)
            assert (await runtime.runs.replay(first.run_id)).difference is None
            short = agent.model_copy(update={"budget": Budget(model_calls=1)})
            stopped = await runtime.ask(short, "How many shafts?")
            assert stopped.usage.model_calls == 1
            assert stopped.stopped.startswith("budget:")
            assert (await runtime.runs.replay(stopped.run_id)).difference is None


async def test_a_model_that_calls_tools_is_left_alone():
    with ScriptedOpenAI([call("look_up", topic="looms"), say("Action: is what I like.")]) as server:
        state = await ask(graph_of(server, options=ReactOptions()))
        assert server.requests[0].tool_names == ["look_up"]
    assert state["messages"][-1].text == "Action: is what I like."


async def test_a_tool_without_arguments():
    @tool(effect=Effect.READ)
    def now() -> str:
        """Tell the time."""
        return "noon"

    with ScriptedOpenAI([say("Action: now"), say("Final Answer: noon")]) as server:
        state = await ask(graph_of(server, tools=[now]))
    assert state["messages"][2].text == "noon"
