"""What holds for every pattern: it keeps to its budget, fits a schema, replays, and is bounded."""

import json
from dataclasses import dataclass, field, replace

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from tests.support.models import settings_for
from tests.support.patterns import SCHEMA, ask, graph_of, is_asked, look_up, numbered
from tests.support.recording import Recording
from tests.support.rooms import ROOT
from treadle import graphs
from treadle.agents import Agent, Budget
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.calls import CallKind
from treadle.core.errors import BudgetExceededError, ConfigError, ModelError
from treadle.graphs import (
    STOPPED,
    Colleague,
    GraphParts,
    Prompts,
    build_graph,
    pattern_names,
    react,
)
from treadle.memory.window import ContextWindow
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say, unauthorized

LONG = "Sum this up: 2 and 2 make what?\n\n" + "\n\n".join(["word " * 90] * 5)


STEPS = [
    {"id": "a", "task": "Do a.", "needs": []},
    {"id": "b", "task": "Do b.", "needs": []},
    {"id": "c", "task": "Do c.", "needs": ["a"]},
]
REPLIES = {
    "plan": json.dumps({"steps": STEPS}),
    "replan": '{"steps": []}',
    "split_question": numbered(["What is 1 and 1?", "What is twice that?"]),
    "expand": numbered(["Add.", "Count."]),
    "rank": "1: 5\n2: 5",
    "critique": "Count again.",
    "research_questions": numbered(["What is 1 and 1?", "What is twice that?"]),
    "research_gaps": "none",
    "route": "counter",
}


ARGUMENTS = {"look_up": {"topic": "sums"}, "ask_counter": {"task": "What is 2 and 2?"}}


def reply(request):
    """Play the model of any pattern, so that each makes all kinds of calls that it has."""
    for name, text in REPLIES.items():
        if is_asked(request, name):
            return say(text)
    if request.tool_names and request.messages[-1]["role"] != "tool":
        return call(request.tool_names[0], **ARGUMENTS[request.tool_names[0]])
    if request.response_format is not None:
        return say('{"total": 4}')
    if is_asked(request, "sample"):
        return say("Answer: 4")
    return say(f"It is {len(request.system_text)}.")


@dataclass(frozen=True)
class Case:
    name: str
    calls: int
    options: dict = field(default_factory=dict)
    tools: tuple = ()
    text: str = "What is 2 and 2?"
    agents: tuple = ()


CASES = [
    Case("chain_of_thought", 2),
    Case("react", 2, tools=("look_up",)),
    Case("self_consistency", 3, {"samples": 5}),
    Case("least_to_most", 4),
    Case("tree_of_thoughts", 6, {"breadth": 2}),
    Case("plan_execute", 9, tools=("look_up",)),
    Case("reflexion", 6, {"retries": 2}, tools=("look_up",)),
    Case("research", 7, tools=("look_up",)),
    Case("route", 3, agents=("counter", "other")),
    Case("supervisor", 4, agents=("counter",)),
    Case("map_reduce", 8, {"part_chars": 500, "fan_in": 3}, text=LONG),
]
MOST_BRANCHES = 5
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_every_pattern_is_a_case():
    assert sorted(case.name for case in CASES) == pattern_names()


def pattern(case, server, **parts):
    tools = [look_up] if case.tools else []

    def build(made, _):
        helping = replace(made, colleagues=(), tools=[look_up])
        if case.name == "supervisor":
            helping = replace(helping, output=None)
        colleagues = [colleague(name, helping) for name in case.agents]
        made = replace(made, colleagues=colleagues)
        return build_graph(case.name, made, case.options, ROOT)

    return graph_of(build, server, tools=tools, **parts)


def colleague(name, parts):
    graph = react(replace(parts, name=name, checkpointer=None))
    return Colleague(name, "It counts.", graph, graph)


class Wall(Recording):
    """Refuses every model call after so many."""

    def __init__(self, calls):
        super().__init__()
        self.left = calls

    async def before(self, call):
        if call.kind is CallKind.MODEL:
            if self.left == 0:
                raise BudgetExceededError("the budget is used up.", unit="model_calls")
            self.left -= 1
        return await super().before(call)


@each
async def test_wherever_the_budget_ends_there_is_an_answer(case):
    for calls in range(case.calls + 1):
        with ScriptedOpenAI(reply) as server:
            state = await ask(pattern(case, server), text=case.text, gate=Wall(calls))
            assert len(server.requests) == calls
        answer = state["messages"][-1]
        assert answer.type == "ai"
        assert answer.text.strip()
        assert not answer.tool_calls
        assert answer.response_metadata.get(STOPPED, "").startswith("budget:") == (
            calls < case.calls
        )


@each
async def test_the_answer_fits_the_output_schema(case):
    with ScriptedOpenAI(reply) as server:
        state = await ask(pattern(case, server, output=SCHEMA), text=case.text)
    assert state["structured_response"] == {"total": 4}
    assert json.loads(state["messages"][-1].text) == {"total": 4}


def answering(broken, fitting='{"total": 4}'):
    """Play the model, which first answers with something that does not fit the schema."""

    def answer(request):
        if is_asked_again(request):
            return say(fitting)
        said = reply(request)
        is_data = request.response_format is not None and said == say('{"total": 4}')
        return say(broken) if is_data else said

    return answer


def is_asked_again(request):
    return Prompts()("fit_output") in str(request.messages[-1]["content"])


@each
@pytest.mark.parametrize("broken", ['{"total": "four"}', "It is four.", '{"total": 4', "[4]"])
async def test_an_answer_that_does_not_fit_the_schema_is_asked_for_again(case, broken):
    with ScriptedOpenAI(answering(broken)) as server:
        state = await ask(pattern(case, server, output=SCHEMA), text=case.text)
        again = [request for request in server.requests if is_asked_again(request)]
        samples = 3 if case.name == "self_consistency" else 1
        assert len(again) == samples
        assert broken in again[0].messages[-2]["content"]
    assert state["structured_response"] == {"total": 4}


@each
async def test_an_answer_that_is_almost_data_is_mended_without_asking(case):
    almost = "```json\n{'total': 4,}\n```"
    with ScriptedOpenAI(answering(almost)) as server:
        state = await ask(pattern(case, server, output=SCHEMA), text=case.text)
        assert not any(is_asked_again(request) for request in server.requests)
    assert state["structured_response"] == {"total": 4}


@each
async def test_an_answer_that_never_fits_the_schema_is_an_error(case):
    with ScriptedOpenAI(answering('{"total": "a"}', '{"total": "b"}')) as server:
        with pytest.raises(ModelError, match=r"fits? the output schema"):
            await ask(pattern(case, server, output=SCHEMA), text=case.text)
        samples = 5 if case.name == "self_consistency" else 1
        assert sum(is_asked_again(request) for request in server.requests) == 2 * samples


@each
async def test_a_spent_budget_leaves_a_structured_answer_only_where_one_was_given(case):
    for calls in (0, case.calls - 1):
        with ScriptedOpenAI(reply) as server:
            graph = pattern(case, server, output=SCHEMA)
            state = await ask(graph, text=case.text, gate=Wall(calls))
        is_known = case.name == "self_consistency" and calls > 0
        assert state.get("structured_response") == ({"total": 4} if is_known else None)
        assert state["messages"][-1].response_metadata[STOPPED].startswith("budget:")


@each
async def test_every_prompt_of_it_can_be_the_projects_own(case, tmp_path):
    """Its own prompt stands wherever the shipped one would."""
    (tmp_path / "prompts").mkdir()
    shipped = Prompts()
    names = [path.stem for path in (ROOT / "graphs/treadle/graphs/prompts").glob("*.md")]
    for name in names:
        (tmp_path / "prompts" / f"{name}.md").write_text(f"{shipped(name)}\nOWN-{name}")
    with ScriptedOpenAI(reply) as server:
        graph = pattern(case, server, output=SCHEMA, prompts=Prompts(tmp_path))
        await ask(graph, text=case.text)
        assert server.requests
        for request in server.requests:
            texts = "\n".join(str(m.get("content")) for m in request.messages)
            assert any(shipped(name) in texts for name in names)
            for name in (name for name in names if shipped(name) in texts):
                assert f"OWN-{name}" in texts


LOOK_UP = '''
from treadle.tools import Effect, tool


@tool(effect=Effect.READ)
def look_up(topic: str) -> str:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    return f"There is nothing about {topic}."
'''


@pytest.fixture
async def runtime(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "kit.py").write_text(LOOK_UP)
    (tmp_path / "agents").mkdir()
    for name in ("counter", "other"):
        helper = "description: It counts.\ntools: ['kit.py:look_up']\n"
        (tmp_path / "agents" / f"{name}.yaml").write_text(helper)
    with ScriptedOpenAI(reply) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            rt.server = server
            yield rt


def agent(case, **changes):
    tools = tuple(f"kit.py:{name}" for name in case.tools)
    made = {"graph": case.name, "options": case.options, "agents": case.agents, **changes}
    return Agent(name="thinker", tools=tools, **made)


@each
async def test_a_recorded_run_replays(case, runtime):
    first = await runtime.ask(agent(case), case.text)
    reply = await runtime.ask(agent(case), case.text, thread=first.thread_id)
    asked = len(runtime.server.requests)
    assert first.usage.model_calls == reply.usage.model_calls == case.calls
    assert asked == 2 * case.calls
    for run_id in (first.run_id, reply.run_id):
        replay = await runtime.runs.replay(run_id)
        assert replay.difference is None
    assert len(runtime.server.requests) == asked


@each
async def test_a_run_with_a_budget_ends_in_time_and_replays(case, runtime):
    limited = agent(case, budget=Budget(model_calls=case.calls - 1))
    reply = await runtime.ask(limited, case.text)
    assert reply.usage.model_calls <= case.calls - 1
    assert reply.stopped.startswith("budget:")
    assert reply.text
    assert (await runtime.runs.replay(reply.run_id)).difference is None


@each
async def test_calls_made_side_by_side_share_a_budget_of_tokens(case, runtime):
    """The first call reserves all that is left; the others get what it gives back."""
    limited = agent(case, budget=Budget(tokens=20_000))
    reply = await runtime.ask(limited, case.text)
    assert (reply.usage.model_calls, reply.stopped) == (case.calls, "")
    assert (await runtime.runs.replay(reply.run_id)).difference is None


@each
async def test_a_long_conversation_is_shown_through_the_window(case):
    with ScriptedOpenAI(reply) as server:
        graph = pattern(case, server, window=ContextWindow(1_500))
        history = [
            message
            for turn in range(20)
            for message in (("user", f"Question {turn}: " + "word " * 100), ("ai", "Yes."))
        ]
        await graph.ainvoke({"messages": [*history, ("user", case.text)]})
    sizes = [sum(len(str(m.get("content") or "")) for m in r.messages) for r in server.requests]
    assert max(sizes) < 1_500 * 4
    assert not any("Question 0:" in str(request.messages) for request in server.requests)


@each
async def test_an_unknown_option_is_named_with_those_there_are(case):
    with pytest.raises(ConfigError, match=f"option 'speed' of the graph '{case.name}'"):
        build_graph(case.name, GraphParts(EmbeddedChatModel()), {"speed": 1}, ROOT)


BOUNDS = [
    (name, option)
    for name, kind in vars(graphs).items()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and name.endswith("Options")
    for option, field in kind.model_fields.items()
    if field.annotation != str | None  # names are checked where the graph is made
]


@pytest.mark.parametrize(("kind", "option"), BOUNDS)
def test_every_option_is_bounded(kind, option):
    for value in (-1, 10**9, "many", None):
        with pytest.raises(ValueError, match=option):
            getattr(graphs, kind)(**{option: value})


@pytest.mark.parametrize("name", ["self_consistency", "least_to_most", "tree_of_thoughts"])
def test_patterns_without_tools_refuse_them(name):
    with pytest.raises(ConfigError, match=f"the graph '{name}' calls no tools"):
        build_graph(name, GraphParts(EmbeddedChatModel(), tools=[look_up]), {}, ROOT)


def embedded(case, **parts):
    made = GraphParts(EmbeddedChatModel(), **parts)
    colleagues = [colleague(name, made) for name in case.agents]
    return build_graph(case.name, replace(made, colleagues=colleagues), case.options, ROOT)


@each
async def test_the_embedded_model_answers_with_it(case):
    graph = embedded(case, tools=[look_up] if case.tools else [])
    text = "Looms have four shafts. How many shafts have looms?"
    state = await graph.ainvoke({"messages": [("user", text)]})
    assert "four shafts" in state["messages"][-1].text


@each
async def test_the_embedded_model_refuses_a_schema_clearly(case):
    graph = embedded(case, output=SCHEMA)
    with pytest.raises(ModelError, match="cannot fill an output schema"):
        await graph.ainvoke({"messages": [("user", "How many shafts have looms?")]})


@each
async def test_a_run_that_broke_off_goes_on_from_what_was_done(case):
    """Wherever a call fails, going on makes the calls that are left and no step twice."""
    for broken in range(case.calls):
        asked = []

        def breaking(request, broken=broken, asked=asked):
            asked.append(request)
            return unauthorized() if len(asked) == broken + 1 else reply(request)

        with ScriptedOpenAI(breaking) as server:
            graph = pattern(case, server, checkpointer=InMemorySaver())
            with pytest.raises(ModelError):
                await ask(graph, text=case.text)
            state = await graph.ainvoke(None, {"configurable": {"thread_id": "1"}})
        assert [message.type for message in state["messages"]].count("human") == 1
        assert state["messages"][-1].text
        assert STOPPED not in state["messages"][-1].response_metadata
        # Branches beside the one that failed may have been cut off while they were asking.
        assert case.calls + 1 <= len(asked) <= case.calls + MOST_BRANCHES
