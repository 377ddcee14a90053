"""The graphs that both servers serve: one that asks, one that talks, one that fails."""

import asyncio
from operator import add
from typing import Annotated

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict  # typing's has a schema from Python 3.12 on only


class State(TypedDict, total=False):
    """What was said, and a number."""

    said: Annotated[list[str], add]
    number: int


class Talk(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


def first(state):
    """Say something, and tell it while at it."""
    get_stream_writer()({"told": 1})
    return {"said": ["first"]}


def deep(state):
    """Set the number, inside a graph of its own."""
    return {"number": 1}


def ask(state):
    """Ask a person."""
    return {"said": [str(interrupt("Sure?"))]}


async def reply(state):
    """Say again what was said, word by word."""
    model = GenericFakeChatModel(
        messages=iter([AIMessage(f"You said {state['messages'][-1].content}", id="answer")])
    )
    return {"messages": [await model.ainvoke(state["messages"])]}


async def rest(state):
    """Take a while: as many tenths of a second as the state's number says, or three."""
    await asyncio.sleep(state.get("number", 3) / 10)
    return {"number": 2}


def fail(state):
    """Fail."""
    raise ValueError("It went wrong.")


inner = StateGraph(State).add_node("deep", deep).add_edge(START, "deep").compile()
own = StateGraph(State).add_node("first", first).add_node("inner", inner).add_node("ask", ask)
own.add_edge(START, "first").add_edge("first", "inner").add_edge("inner", "ask")
talk = StateGraph(Talk).add_node("reply", reply).add_edge(START, "reply")
failing = StateGraph(State).add_node("fail", fail).add_edge(START, "fail")
slow = StateGraph(State).add_node("rest", rest).add_edge(START, "rest")
GRAPHS = ("own", "talk", "slow", "failing")
