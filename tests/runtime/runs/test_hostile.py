"""Graphs that make it hard for the journal: they replay all the same, and nothing is done twice."""

import socket

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.runtime.runs import JournalFile, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, hang, say, server_error

GRAPHS = '''
import asyncio
import operator
from pathlib import Path
from typing import Annotated, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelCallLimitMiddleware, ModelRetryMiddleware, SummarizationMiddleware, wrap_tool_call)
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, Send
from openai import InternalServerError

HERE = Path(__file__).parent


def model():
    return ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=20)


def did(name):
    with (HERE / "done").open("a") as file:
        file.write(name + "\\n")


@tool
def act(name: str) -> str:
    """Do something once."""
    did(name)
    return f"{name} is done"


@tool
async def consult(question: str) -> str:
    """Ask a model, and do what it says."""
    said = (await model().ainvoke(question)).text
    return await act.ainvoke({"name": said})


class Fan(MessagesState):
    texts: Annotated[list[str], operator.add]


def plain(state):
    """Three calls in a thread, the last one after the effect."""
    said = [model().invoke("plain").text, act.invoke({"name": "plain"})]
    return {"messages": [AIMessage("".join([*said, model().invoke("b").text]))]}


async def stops_reading(state):
    pieces = []
    async for piece in model().astream("long"):
        pieces.append(piece.text)
        if len("".join(pieces)) > 5:
            break
    rest = (await model().ainvoke("after")).text
    return {"messages": [AIMessage("".join(pieces)[:5] + rest)]}


def stops_reading_plainly(state):
    pieces = []
    for piece in model().stream("long"):
        pieces.append(piece.text)
        if len("".join(pieces)) > 5:
            break
    return {"messages": [AIMessage("".join(pieces)[:5] + model().invoke("after").text)]}


async def races(state):
    """Take whichever answers first, and let go of the other."""
    asked = {asyncio.ensure_future(model().ainvoke(text)) for text in ("quick", "slow")}
    done, others = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return {"messages": [AIMessage(" ".join(one.result().text for one in done))]}


async def branch(state):
    first = (await model().ainvoke(f"one {state['text']}")).text
    await act.ainvoke({"name": state["text"]})
    return {"texts": [first + (await model().ainvoke(f"two {state['text']}")).text]}


def fan(state):
    return [Send("branch", {"text": str(n % 4)}) for n in range(8)]


async def join(state):
    return {"messages": [AIMessage((await model().ainvoke(str(sorted(state["texts"])))).text)]}


async def shaky(state):
    """A retried node: its effect stays done, and its model is asked again."""
    await act.ainvoke({"name": "shaky"})
    return {"messages": [AIMessage((await model().ainvoke("shaky")).text)]}


def one(node, **options):
    graph = StateGraph(MessagesState).add_node("node", node, **options)
    return graph.add_edge(START, "node").compile()


RETRY = RetryPolicy(initial_interval=0.001, max_attempts=3, retry_on=InternalServerError)
in_a_thread = one(plain)
half_read = one(stops_reading)
half_read_plainly = one(stops_reading_plainly)
racing = one(races)
retried = one(shaky, retry_policy=RETRY)
inner = StateGraph(Fan).add_node("branch", branch).add_node("join", join)
inner = inner.add_conditional_edges(START, fan, ["branch"]).add_edge("branch", "join").compile()
nested = one(one(inner))
fanned = inner


@wrap_tool_call
async def twice(request, handler):
    """Make the call, and see to it that the model is told loudly."""
    result = await handler(request)
    return result.model_copy(update={"content": str(result.content).upper()})


middled = create_agent(
    "openai:gpt-5-mini",
    [act, consult],
    middleware=[
        ModelCallLimitMiddleware(run_limit=6),
        ModelRetryMiddleware(max_retries=2, initial_delay=0.001, jitter=False),
        SummarizationMiddleware(
            model="openai:gpt-5-mini", trigger=("messages", 5), keep=("messages", 2)
        ),
        twice,
    ],
)
'''


class Provider:
    def __init__(self):
        self.failures = 0

    def __call__(self, request):
        text = request.last_user_text
        if self.failures < 1 and (text == "shaky" or request.tool_names):
            self.failures += 1
            return server_error()
        if request.tool_names and self.failures < 4:
            self.failures += 1
            if not request.tool_outputs:
                return calls(call("act", name="a"), call("consult", question="What?"))
            return call("act", name=f"more {self.failures}")
        if text == "slow":
            return hang()
        return say(f"I heard {text[:40]}, and I thought about it.")


@pytest.mark.parametrize(
    ("graph", "done"),
    [
        ("in_a_thread", ["plain"]),
        ("half_read", []),
        ("half_read_plainly", []),
        ("racing", []),
        ("retried", ["shaky"]),
        ("fanned", [*"00112233"]),
        ("nested", [*"00112233"]),
        ("middled", ["I heard What?, and I thought about it.", "a", "more 3", "more 4"]),
    ],
)
async def test_a_hard_graph_replays_and_does_nothing_twice(
    graph, done, redis_url, tmp_path, monkeypatch
):
    (tmp_path / "graphs.py").write_text(GRAPHS)
    agent = Agent(name="hard", graph=f"graphs.py:{graph}")

    def refuse(*_, **__):
        raise AssertionError("a replay opened a socket")

    with ScriptedOpenAI(Provider()) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as runtime:
            reply = await runtime.ask(agent, "Go.")
            assert (await runtime.runs.get(reply.run_id)).status is RunStatus.SUCCESS
            file = JournalFile.from_text((await runtime.runs.export(reply.run_id)).to_text())
            asked = len(server.requests)
            with monkeypatch.context() as patch:
                patch.setattr(socket.socket, "connect", refuse)
                patch.setattr(socket.socket, "connect_ex", refuse)
                replay = await runtime.runs.replay(file)
            assert replay.difference is None
            fork = await runtime.fork(file, agent=agent)
            anew = int(graph == "racing")  # The call that was let go has no answer to be used.
            assert (fork.text, fork.usage.model_calls) == (reply.text, anew)
    # What is asked anew is let go as the other has its answer: maybe before it is sent.
    assert asked <= len(server.requests) <= asked + anew
    found = (tmp_path / "done").read_text().splitlines() if (tmp_path / "done").exists() else []
    assert sorted(found) == done
