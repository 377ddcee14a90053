"""An approval answers the question it was asked for, and no other question of the same task."""

from tests.runtime.approvals.conftest import only
from treadle.agents import Agent, Rule
from treadle.runtime.testing import ScriptedOpenAI

ASKING = '''
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

@tool(effect=Effect.READ)
async def confirm(what: str) -> str:
    """Ask a person.

    Args:
        what: what about.
    """
    answer = interrupt(f"Really {what}?")
    note(f"confirmed {answer!r}")
    return f"{what}: {answer}"

async def alone(state: MessagesState):
    return {"messages": [AIMessage(await confirm.ainvoke({"what": "pay"}))]}

async def behind(state: MessagesState):
    paid = await pay.ainvoke({"amount": 5})
    return {"messages": [AIMessage(paid + await confirm.ainvoke({"what": "go on"}))]}

def compiled(node):
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()

asking = compiled(alone)
asking_behind = compiled(behind)
'''


def asking(project, graph, tool):
    """Return an agent with the graph, that asks before it calls the tool."""
    # In a file of its own: a module that another test imported would write elsewhere.
    effects = (project.path / "effects.py").read_text()
    (project.path / "asking.py").write_text(effects + ASKING)
    return Agent(name="asking", graph=f"asking.py:{graph}", policy=[Rule(tool=tool, then="ask")])


async def approved(rt, agent):
    """Ask, approve the call that waits, and go on; return the run."""
    reply = await rt.ask(agent, "Go.")
    await rt.approvals.approve((await only(rt)).id, by="Grace")
    await rt.resume(reply.run_id, agent=agent)
    return reply.run_id


async def test_a_tool_that_was_approved_asks_its_own_question(opened, project):
    agent = asking(project, "asking", "confirm")
    with ScriptedOpenAI([]) as server:
        async with opened(server) as rt:
            run = await approved(rt, agent)
            assert [one["value"] for one in await rt.runs.interrupts(run)] == ["Really pay?"]
            assert project.calls == []
            done = await rt.resume(run, "yes", agent=agent)
    assert done.text == "pay: yes"
    assert project.calls == ["confirmed 'yes'"]


async def test_a_tool_behind_an_approved_one_asks_its_own_question(opened, project):
    agent = asking(project, "asking_behind", "pay")
    with ScriptedOpenAI([]) as server:
        async with opened(server) as rt:
            run = await approved(rt, agent)
            assert [one["value"] for one in await rt.runs.interrupts(run)] == ["Really go on?"]
            done = await rt.resume(run, "yes", agent=agent)
    assert done.text == "Paid 5.0.go on: yes"
    assert project.calls == ["confirmed 'yes'", "pay 5.0"]
