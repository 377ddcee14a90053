"""Agents that work for another one: tasks, handing over, and who may do what."""

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.models import settings_for
from tests.support.patterns import SOURCE, ask, graph_of, look_up
from tests.support.recording import Recording
from treadle.agents import Agent
from treadle.core.calls import CallKind
from treadle.core.errors import ConfigError, UserError
from treadle.graphs import (
    Colleague,
    GraphParts,
    RouteOptions,
    SupervisorOptions,
    react,
    route,
    supervisor,
)
from treadle.runtime import Runtime
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

FILES = {
    "agents/finder.yaml": "description: It finds things out.\ntools: ['kit.py:look_up']\n",
    "agents/writer.yaml": (
        "description: It writes letters.\ntools: ['kit.py:send']\n"
        "policy: [{tool: send, then: ask}]\n"
    ),
    "kit.py": '''
from treadle.tools import Effect, Passage, Source, ToolResult, tool

SENT = []


@tool(effect=Effect.READ)
def look_up(topic: str) -> ToolResult:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    source = Source("Looms", "docs/looms.md", "lines 1-3")
    return ToolResult(passages=[Passage(f"{topic} has four shafts.", source)])


@tool(effect=Effect.ONCE)
def send(to: str) -> str:
    """Send a letter.

    Args:
        to: to whom.
    """
    return f"Sent to {to}."
''',
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "agents").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def lead(**changes):
    made = {"name": "lead", "graph": "supervisor", "agents": ("finder", "writer"), **changes}
    return Agent(**made)


def parts_with(server, names=("finder", "writer")):
    def build(parts, _):
        graph = react(GraphParts(parts.model, tools=[look_up], name="finder"))
        return [Colleague(name, f"It is the {name}.", graph, graph) for name in names]

    return graph_of(build, server)


def built(pattern, server, options=None, **parts):
    colleagues = parts_with(server)
    return graph_of(pattern, server, options, colleagues=colleagues, **parts)


async def test_a_task_is_done_alone_and_its_answer_comes_back():
    script = [
        call("ask_finder", task="How many shafts has a loom?"),
        call("look_up", topic="A loom"),
        say(f"Four [^{SOURCE.label}]."),
        say(f"A loom has four shafts [^{SOURCE.label}]."),
    ]
    with ScriptedOpenAI(script) as server:
        gate = Recording()
        state = await ask(built(supervisor, server), text="Tell me of looms.", gate=gate)
        task = server.requests[1]
    assert [m["content"] for m in task.messages if m["role"] == "user"] == [
        "How many shafts has a loom?"
    ]
    assert [m.type for m in state["messages"]] == ["human", "ai", "tool", "ai"]
    made = [(one.agent, one.name) for one in gate.calls if one.kind is not CallKind.DECISION]
    assert made[1:4] == [
        ("", "ask_finder"),
        ("finder", "openai:gpt-5-mini"),
        ("finder", "look_up"),
    ]


async def test_tasks_given_at_once_are_done_side_by_side():
    def reply(request):
        users = [m["content"] for m in request.messages if m["role"] == "user"]
        if users[-1] in {"a", "b"}:
            return say(f"Done: {users[-1]}")
        if request.messages[-1]["role"] == "tool":
            return say("Both are done.")
        return calls(call("ask_finder", task="a"), call("ask_writer", task="b"))

    with ScriptedOpenAI(reply) as server:
        state = await ask(built(supervisor, server))
    texts = {m.name: m.text for m in state["messages"] if m.type == "tool"}
    assert texts == {"ask_finder": "Done: a", "ask_writer": "Done: b"}


async def test_who_is_handed_the_conversation_answers_with_all_of_it():
    script = [call("hand_over", to="writer"), say("I answer in its place."), say("And again.")]
    with ScriptedOpenAI(script) as server:
        graph = built(supervisor, server, checkpointer=InMemorySaver())
        state = await ask(graph, text="Write to Ada.")
        assert state["messages"][-1].text == "I answer in its place."
        assert "Write to Ada." in str(server.requests[1].messages)
        state = await ask(graph, text="Thanks.")
    assert state["messages"][-1].text == "And again."
    assert len({m.id for m in state["messages"]}) == len(state["messages"]) == 6


async def test_handing_over_can_be_left_out():
    with ScriptedOpenAI([say("I do it.")]) as server:
        graph = built(supervisor, server, SupervisorOptions(hand_over=False))
        await ask(graph)
        assert server.requests[0].tool_names == ["ask_finder", "ask_writer"]


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("writer", "writer"),
        ("I think finder is wrong, so: **Writer**.", "writer"),
        ("nobody I know", "finder"),
        ("writers", "finder"),
        ("", "finder"),
    ],
)
async def test_the_question_goes_to_whom_the_model_names(said, chosen):
    with ScriptedOpenAI([say(said), say("Here I am.")]) as server:
        gate = Recording()
        state = await ask(built(route, server), gate=gate)
    assert state["messages"][-1].text == "Here I am."
    assert gate.calls[-1].agent == chosen


async def test_what_leaves_the_window_of_who_answers_leaves_the_state_around_it(redis_url, project):
    long = "word " * 400
    with ScriptedOpenAI(lambda request: say("Yes." if request.tool_names else "finder")) as server:
        settings = settings_for(server)
        small = "description: It finds.\ntools: ['kit.py:look_up']\nmemory: {window_tokens: 1500}\n"
        (project / "agents/finder.yaml").write_text(small)
        async with Runtime.open(redis_url, project, settings=settings) as runtime:
            chief = lead(graph="route")
            for turn in range(6):
                await runtime.ask(chief, f"{turn} {long}", thread="t")
            config = {"configurable": {"thread_id": "t"}}
            state = await runtime.graph(chief).aget_state(config)
    assert len(state.values["messages"]) < 8


async def test_an_agent_s_answer_proves_nothing_to_who_asked_for_it(redis_url, project):
    """What its own tools returned does: the number 9 stands in none of them."""
    script = [
        call("ask_finder", task="How many shafts has a loom?"),
        call("look_up", topic="A loom"),
        say(f"It has four shafts and 9 hooks [^{SOURCE.label}]."),
        say(f"A loom has four shafts and 9 hooks [^{SOURCE.label}]."),
    ]
    with ScriptedOpenAI(script) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as runtime:
            reply = await runtime.ask(lead(), "Tell me of looms.")
            replay = await runtime.runs.replay(reply.run_id)
    assert reply.text == "A loom has four shafts and [unverified: 9] hooks [1]."
    assert reply.citations[0].supports[0].quote == "A loom has four shafts."
    assert replay.difference is None


@pytest.mark.parametrize("given", ["ask_writer", "hand_over"])
async def test_each_agent_keeps_to_its_own_policy(redis_url, project, given):
    first = call(given, task="Write to Ada.") if given == "ask_writer" else call(given, to="writer")
    script = [first, call("send", to="Ada"), say("It is sent."), say("Done.")]
    with ScriptedOpenAI(script, verify=False) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as runtime:
            (project / "agents/lead.yaml").write_text(
                "graph: supervisor\nagents: [finder, writer]\n"
            )
            reply = await runtime.ask("lead", "Write to Ada.")
            assert (await runtime.runs.get(reply.run_id)).status is RunStatus.INTERRUPTED
            [waiting] = await runtime.approvals.pending()
            assert (waiting.agent, waiting.tool) == ("writer", "send")
            await runtime.approvals.approve(waiting.id, by="tester")
            reply = await runtime.resume(reply.run_id)
            assert reply.text in {"Done.", "It is sent."}
            assert (await runtime.runs.replay(reply.run_id)).difference is None


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ({"agents": ()}, "gives work to other agents, and there are none"),
        ({"agents": ("nobody",)}, "nobody"),
        ({"agents": ("finder", "finder")}, "is listed 2 times"),
        ({"tools": ("own.py:ask_finder",)}, "2 tools are named 'ask_finder'"),
        ({"graph": "react"}, "gives no work to other agents"),
        ({"graph": "route", "options": {"otherwise": "findr"}}, "Did you mean 'finder'"),
    ],
)
async def test_a_team_that_cannot_work_is_refused(redis_url, project, agent, message):
    (project / "own.py").write_text('def ask_finder() -> str:\n    """Ask."""\n    return ""\n')
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as runtime:
            with pytest.raises((UserError, ValueError), match=message):
                await runtime.ask(lead(**agent), "hi")


async def test_agents_that_work_for_each_other_in_a_circle_are_refused(redis_url, project):
    (project / "agents/one.yaml").write_text("graph: supervisor\nagents: [two]\n")
    (project / "agents/two.yaml").write_text("graph: supervisor\nagents: [one]\n")
    with ScriptedOpenAI([]) as server:
        async with Runtime.open(redis_url, project, settings=settings_for(server)) as runtime:
            with pytest.raises(ConfigError, match="one → two → one work for each other"):
                await runtime.ask("one", "hi")


def test_a_route_of_one_asks_nothing_first():
    with ScriptedOpenAI([]) as server:
        [only] = parts_with(server, ("finder",))
        graph = graph_of(route, server, RouteOptions(), colleagues=[only])
        assert set(graph.nodes) >= {"choose", "finder"}
