"""What graph files do when they run: on a scripted server, one idea a test."""

import json
from dataclasses import replace

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from tests.support.graph_files import reply, reply_badly, write_project
from tests.support.models import resolved
from tests.support.patterns import SCHEMA, ask, look_up
from tests.support.recording import Recording
from treadle.core.boundary import boundary
from treadle.core.calls import CallKind, Purpose
from treadle.core.errors import BudgetExceededError, ConfigError, UnknownNameError
from treadle.graphs import STOPPED, Colleague, GraphFile, GraphParts, react
from treadle.memory.window import ContextWindow
from treadle.runtime.testing import ScriptedOpenAI, say, server_error


def graph_of(folder, server, text=None, **parts):
    """Return the graph of a file with that text, or else of the one that uses everything."""
    write_project(folder, **({"graph": text} if text else {}))
    model = resolved(server).chat
    helper = react(GraphParts(model, prompt="HELP", name="helper"))
    made = GraphParts(
        model,
        tools=[look_up],
        colleagues=[Colleague("helper", "It helps.", helper, helper)],
        project=folder,
        **{"model_named": lambda name: resolved(server), **parts},
    )
    return GraphFile(folder / "graphs" / "loom.yaml").compile(made)


def echo(request):
    """Say what the instructions were."""
    return say(request.system_text or request.last_user_text)


def prompts_of(server):
    return [request.system_text or request.last_user_text for request in server.requests]


async def test_everything_at_once(tmp_path):
    gate = Recording()
    with ScriptedOpenAI(reply) as server:
        state = await ask(graph_of(tmp_path, server), gate=gate)
        assert len(server.requests) == 6
    assert state["messages"][-1].text == "It has four shafts."
    assert state["notes"] == [m.text for m in state["messages"] if m.name == "look_up"]
    assert state["verdict"] == {"good": True, "reason": "Too short."}
    assert (state["rounds"], state["asked"]) == (1, ["Looms."])
    assert [c.name for c in gate.calls if c.kind is CallKind.TOOL and c.name == "look_up"] == [
        "look_up",
        "look_up",
    ]
    purposes = [c.purpose for c in gate.calls if c.kind is CallKind.MODEL]
    assert purposes == [Purpose.THOUGHT] * 5 + [Purpose.ANSWER]
    assert "classify: Looms." in state["reasoning"]


OWN_MODEL = """
state: {draft: {}}
nodes:
  draft: {prompt: DRAFT, to: draft, model: other}
  answer: {prompt: "ANSWER from {draft}."}
edges:
  - {from: start, to: draft}
  - {from: draft, to: answer}
  - {from: answer, to: end}
"""


async def test_a_node_may_have_a_model_of_its_own(tmp_path):
    with ScriptedOpenAI(echo) as agents, ScriptedOpenAI([say("Four shafts.")]) as others:
        other = replace(resolved(others), context_tokens=1_000)
        graph = graph_of(tmp_path, agents, OWN_MODEL, model_named=lambda name: other)
        state = await ask(graph, text="Long. " * 2_000)
    assert state["draft"] == "Four shafts."
    assert [request.system_text for request in agents.requests] == ["ANSWER from Four shafts.."]
    (asked,) = others.requests
    assert asked.system_text.startswith("DRAFT")
    # What it is shown of the conversation fits into it, however much fits into the agent's model.
    assert len(str(asked.messages)) < 4_000 < len(str(agents.requests[0].messages))


async def test_its_model_has_fallbacks_of_its_own(tmp_path):
    with (
        ScriptedOpenAI(echo) as agents,
        ScriptedOpenAI(lambda _: server_error()) as others,
        ScriptedOpenAI([say("Four shafts.")]) as last,
    ):
        graph = graph_of(
            tmp_path, agents, OWN_MODEL, model_named=lambda name: resolved(others, last)
        )
        assert (await ask(graph))["draft"] == "Four shafts."


async def test_a_loop_ends_at_its_bound(tmp_path):
    """Six calls where the first draft is good; a second draft and check where it is not, and the
    draft after those is not checked."""
    with ScriptedOpenAI(reply_badly) as server:
        state = await ask(graph_of(tmp_path, server))
        assert len(server.requests) == 6 + 2 + 1
    assert state["visits"]["check"] == 2
    assert state["visits"]["write"] == 3
    assert state["messages"][-1].text == "It has four shafts."


@pytest.mark.parametrize("bound", [1, 2, 5])
async def test_calls_follow_the_bound_of_a_loop(tmp_path, bound):
    text = (
        "state: {draft: {}, verdict: {}}\n"
        "nodes:\n"
        "  write: {prompt: WRITE, to: draft}\n"
        f"  check: {{prompt: CHECK, to: verdict, max_runs: {bound}}}\n"
        "edges:\n"
        "  - {from: start, to: write}\n"
        "  - {from: write, choose: [{if: {field: verdict, is_not: good}, to: check}], else: end}\n"
        "  - {from: check, to: write}\n"
        'answer: "{draft}"\n'
    )
    with ScriptedOpenAI(lambda _: say("bad")) as server:
        state = await ask(graph_of(tmp_path, server, text))
        assert len(server.requests) == 2 * bound + 1
    assert state["messages"][-1].text == "bad"
    assert STOPPED not in state["messages"][-1].response_metadata


async def test_the_first_choice_that_holds_is_taken(tmp_path):
    text = (
        "state: {topic: {}}\n"
        "nodes:\n"
        "  classify: {prompt: CLASSIFY, to: topic}\n"
        "  first: {prompt: FIRST}\n"
        "  second: {prompt: SECOND}\n"
        "edges:\n"
        "  - {from: start, to: classify}\n"
        "  - from: classify\n"
        "    choose:\n"
        "      - {if: {field: topic, is: none}, to: second}\n"
        "      - {if: {field: topic, contains: loom}, to: first}\n"
        "      - {if: {field: topic, empty: false}, to: second}\n"
        "    else: end\n"
        "  - {from: first, to: end}\n"
        "  - {from: second, to: end}\n"
    )
    for topic, said in (("Looms!", "FIRST"), ("chat", "SECOND"), ("none", "SECOND")):

        def answer(request, topic=topic):
            return say(topic if "CLASSIFY" in request.system_text else request.system_text)

        with ScriptedOpenAI(answer) as server:
            state = await ask(graph_of(tmp_path, server, text))
        assert state["messages"][-1].text == said


FANNED = (
    "state: {{parts: {{type: array}}, notes: {{type: array, reduce: append}}}}\n"
    "nodes:\n"
    "  split: {{prompt: SPLIT, to: parts}}\n"
    '  read: {{prompt: "READ {{part}}", conversation: false, to: notes}}\n'
    '  write: {{prompt: "WRITE {{notes}}"}}\n'
    "edges:\n"
    "  - {{from: start, to: split}}\n"
    "  - {{from: split, each: parts, as: part, to: read, most: {most}, else: write}}\n"
    "  - {{from: read, to: write}}\n"
    "  - {{from: write, to: end}}\n"
)


@pytest.mark.parametrize("count", [0, 1, 4, 6])
async def test_items_are_worked_on_side_by_side_and_kept_in_order(tmp_path, count):
    most = 4
    numbered = "\n".join(f"{n}. part-{n}" for n in range(1, count + 1)) or "nothing"

    def answer(request):
        return say(numbered) if "SPLIT" in request.system_text else echo(request)

    with ScriptedOpenAI(answer) as server:
        state = await ask(graph_of(tmp_path, server, FANNED.format(most=most)))
        assert len(server.requests) == 1 + min(count, most) + 1
    worked = [f"READ part-{n}" for n in range(1, min(count, most) + 1)]
    assert state["notes"] == worked
    answer = state["messages"][-1]
    assert answer.text == f"WRITE {(chr(10) * 2).join(worked)}".strip()
    assert answer.response_metadata.get(STOPPED, "") == (
        "items: 4 of the 6 in 'parts' were worked on" if count > most else ""
    )


JOINED = (
    "state: {a: {}, b: {}, c: {}}\n"
    "nodes:\n"
    "  one: {prompt: ONE, to: a}\n"
    "  two: {prompt: TWO, to: b}\n"
    '  three: {prompt: "THREE {b}", to: c}\n'
    '  join: {prompt: "JOIN {a} {c}"}\n'
    "edges:\n"
    "  - {from: start, to: [one, two]}\n"
    "  - {from: two, choose: [{if: {field: b, contains: TWO}, to: three}], else: end}\n"
    "  - {from: [one, three], to: join}\n"
    "  - {from: join, to: end}\n"
)


async def test_branches_of_different_length_are_waited_for(tmp_path):
    with ScriptedOpenAI(echo) as server:
        state = await ask(graph_of(tmp_path, server, JOINED))
        assert sorted(prompts_of(server)[:2]) == ["ONE", "TWO"]
        assert prompts_of(server)[2:] == ["THREE TWO", "JOIN ONE THREE TWO"]
    assert state["messages"][-1].text == "JOIN ONE THREE TWO"


async def test_what_is_waited_for_and_never_comes_is_told(tmp_path):
    with ScriptedOpenAI(lambda _: say("nothing")) as server:
        state = await ask(graph_of(tmp_path, server, JOINED))
        assert len(server.requests) == 2
    answer = state["messages"][-1]
    assert "one: nothing" in answer.text
    assert answer.response_metadata[STOPPED] == "graph: it ended without an answer"


TOOL = (
    "state: {found: {}}\n"
    "nodes: {look: {tool: look_up, arguments: {topic: '{question}'}, to: found}}\n"
    "edges: [{from: start, to: look}, {from: look, to: end}]\n"
    'answer: "Found: {found}"\n'
)


async def test_a_call_of_a_tool_stands_in_the_conversation(tmp_path):
    gate = Recording()
    with ScriptedOpenAI([]) as server:
        graph = graph_of(tmp_path, server, TOOL, checkpointer=InMemorySaver())
        first = await ask(graph, "looms", gate)
        state = await ask(graph, "looms", gate)
    (called,) = first["messages"][1].tool_calls
    assert (called["name"], called["args"]) == ("look_up", {"topic": "looms"})
    assert isinstance(first["messages"][2], ToolMessage)
    assert first["messages"][2].artifact["sources"]
    assert "looms has four shafts" in first["messages"][-1].text
    ids = [call["id"] for m in state["messages"] if m.type == "ai" for call in m.tool_calls]
    assert len(set(ids)) == 2
    assert all(len(id_) <= 40 for id_ in ids)
    assert [call.request for call in gate.calls if call.kind is CallKind.TOOL] == [
        {"topic": "looms"}
    ] * 2


async def test_a_tool_that_fails_is_told_and_ends_nothing(tmp_path):
    @langchain_tool
    def look_up(topic: str) -> str:
        """Fail."""
        raise OSError("the loom is on fire")

    with ScriptedOpenAI([]) as server:
        write_project(tmp_path, TOOL)
        parts = GraphParts(resolved(server).chat, tools=[look_up])
        state = await ask(GraphFile(tmp_path / "graphs" / "loom.yaml").compile(parts))
    assert state["messages"][-1].text == "Found: look_up failed: OSError: the loom is on fire"


async def test_values_of_the_state_are_given_to_tools_as_they_are(tmp_path):
    given = []

    @langchain_tool
    def look_up(count: int, names: list[str], text: str) -> str:
        """Take it."""
        given.append((count, names, text))
        return "taken"

    text = TOOL.replace("state: {found: {}}", "state: {found: {}, n: {type: integer, default: 3}}")
    text = text.replace(
        "{topic: '{question}'}", "{count: '{n}', names: ['{question}', b], text: 'n={n}'}"
    )
    with ScriptedOpenAI([]) as server:
        write_project(tmp_path, text)
        parts = GraphParts(resolved(server).chat, tools=[look_up])
        await ask(GraphFile(tmp_path / "graphs" / "loom.yaml").compile(parts), "a")
    assert given == [(3, ["a", "b"], "n=3")]


async def test_an_agent_goes_on_with_the_conversation_and_answers(tmp_path):
    text = "nodes: {help: {agent: helper}}\nedges: [{from: start, to: help}, {from: help, to: end}]"
    gate = Recording()
    with ScriptedOpenAI(reply) as server:
        state = await ask(graph_of(tmp_path, server, text), gate=gate)
    assert state["messages"][-1].text == "Looms are old."
    (call,) = [call for call in gate.calls if call.kind is CallKind.MODEL]
    assert (call.agent, call.purpose) == ("helper", Purpose.ANSWER)


ASKING = (
    "state: {draft: {default: Hello}, sent: {type: boolean}}\n"
    "nodes: {sign: {interrupt: 'Send {draft}?', to: sent}}\n"
    "edges: [{from: start, to: sign}, {from: sign, to: end}]\n"
    'answer: "Sent: {sent}"\n'
)


async def test_a_person_is_asked_until_the_answer_fits(tmp_path):
    with ScriptedOpenAI([]) as server:
        graph = graph_of(tmp_path, server, ASKING, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    state = await graph.ainvoke({"messages": [HumanMessage("Go.")]}, config)
    assert state["__interrupt__"][0].value == "Send Hello?"
    state = await graph.ainvoke(Command(resume="maybe"), config)
    assert "'maybe' does not fit: a value of type 'boolean'" in state["__interrupt__"][0].value
    state = await graph.ainvoke(Command(resume="true"), config)
    assert state["messages"][-1].text == "Sent: true"


async def test_fields_begin_anew_in_each_turn_unless_they_are_kept(tmp_path):
    with ScriptedOpenAI(reply) as server:
        graph = graph_of(tmp_path, server, checkpointer=InMemorySaver())
        await ask(graph)
        state = await ask(graph)
    assert state["turn"] == 2
    assert len(state["notes"]) == 2
    assert (state["rounds"], state["tone"]) == (1, "plain")
    assert state["asked"] == ["Looms.", "Looms."]


PYTHON = (
    "state: {draft: {}, n: {type: integer}}\n"
    "nodes: {make: {python: 'own.py:make'}}\n"
    "edges: [{from: start, to: make}, {from: make, to: end}]\n"
    'answer: "{draft}"\n'
)


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ("def make(state): return {'draft': 'made'}", None, "made"),
        ("async def make(state): return {'draft': state['messages'][-1].text}", None, "What is"),
        ("def make(state): return None", None, "I had to stop"),
        ("def make(state): return 3", ConfigError, "Return a dict of the fields it changes"),
        ("def make(state): return {'n': 'x'}", ConfigError, "writes 'x' to 'n', which is of type"),
        ("def make(state): return {'drft': ''}", UnknownNameError, "Did you mean 'draft'"),
        ("make = 3", ConfigError, "is a int, not a function"),
        ("def make(state): return next(iter([]))", RuntimeError, "raised StopIteration"),
        ("def make(state): raise SystemExit(3)", RuntimeError, "raised SystemExit"),
        ("async def make(state): raise GeneratorExit", RuntimeError, "raised GeneratorExit"),
    ],
)
async def test_a_python_function_is_given_the_state_and_returns_fields(tmp_path, body, error, said):
    with ScriptedOpenAI([]) as server:
        (tmp_path / "own.py").write_text(body)
        if error:
            with pytest.raises(error, match=said):
                await ask(graph_of(tmp_path, server, PYTHON))
            return
        state = await ask(graph_of(tmp_path, server, PYTHON))
    assert said in state["messages"][-1].text


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


@pytest.mark.parametrize("calls", range(7))
async def test_wherever_the_budget_ends_there_is_an_answer(tmp_path, calls):
    with ScriptedOpenAI(reply) as server:
        state = await ask(graph_of(tmp_path, server), gate=Wall(calls))
        assert len(server.requests) == calls
    answer = state["messages"][-1]
    assert answer.type == "ai"
    assert answer.text.strip()
    assert not answer.tool_calls
    assert answer.response_metadata.get(STOPPED, "").startswith("budget:") == (calls < 6)


async def test_the_answer_fits_the_agents_output_schema(tmp_path):
    text = "nodes: {a: {prompt: A}}\nedges: [{from: start, to: a}, {from: a, to: end}]\n"
    with ScriptedOpenAI(lambda _: say(json.dumps({"total": 4}))) as server:
        state = await ask(graph_of(tmp_path, server, text, output=SCHEMA))
        assert state["structured_response"] == {"total": 4}
        with pytest.raises(ConfigError, match=r"loom\.yaml:4: the agent has an 'output', and no"):
            graph_of(tmp_path, server, TOOL, output=SCHEMA)


async def test_a_long_conversation_is_shown_through_the_window(tmp_path):
    with ScriptedOpenAI(reply) as server:
        graph = graph_of(tmp_path, server, window=ContextWindow(1_500))
        history = [
            message
            for turn in range(20)
            for message in (("user", f"Question {turn}: " + "word " * 100), ("ai", "Yes."))
        ]
        await graph.ainvoke({"messages": [*history, ("user", "What has a loom?")]})
    sizes = [sum(len(str(m.get("content") or "")) for m in r.messages) for r in server.requests]
    assert max(sizes) < 1_500 * 4
    assert not any("Question 0:" in str(request.messages) for request in server.requests)


async def test_it_runs_without_the_runtime(tmp_path):
    with ScriptedOpenAI(reply) as server:
        state = await graph_of(tmp_path, server).ainvoke({"messages": [("user", "Looms?")]})
    assert state["messages"][-1].text == "It has four shafts."


async def test_calls_of_python_functions_keep_their_place(tmp_path):
    """A function of the project may call a tool; the call goes through the boundary."""
    (tmp_path / "own.py").write_text(
        "from kit_for_test import look\n\n\nasync def make(state):\n"
        "    return {'draft': await look.ainvoke({'topic': 'x'})}\n"
    )
    (tmp_path / "kit_for_test.py").write_text(
        "from treadle.tools import tool\n\n\n@tool\ndef look(topic: str) -> str:\n"
        '    """Look.\n\n    Args:\n        topic: what.\n    """\n    return topic * 2\n'
    )
    gate = Recording()
    with ScriptedOpenAI([]) as server:
        graph = graph_of(tmp_path, server, PYTHON)
        with boundary(gate, thread_id="1", run_id="r"):
            state = await graph.ainvoke({"messages": [("user", "Go.")]})
    assert state["draft"] == "xx"
    assert [call.position.path for call in gate.calls if call.name == "look"] == ["make"]
