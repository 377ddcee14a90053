"""Graphs for the clients: to talk, to ask a person, to wait until it is let go, to count."""

import asyncio
from itertools import count
from pathlib import Path
from typing import Annotated, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import interrupt

_numbers = count(1)


class State(TypedDict, total=False):
    """A conversation, the file that lets a waiting run go, and how far one that counts got."""

    messages: Annotated[list[AnyMessage], add_messages]
    gate: str
    step: int
    steps: int


async def reply(state):
    """Answer in words that are streamed; no two answers are the same."""
    said = state["messages"][-1].content
    words = f"This is answer {next(_numbers)} to what you said: {said}"
    model = GenericFakeChatModel(messages=iter([AIMessage(words)]))
    return {"messages": [await model.ainvoke(state["messages"])]}


def confirm(state):
    """Ask a person."""
    answer = interrupt({"question": "Sure?"})
    return {"messages": [("ai", f"You are {answer}.")]}


async def wait(state):
    """Tell that it waits, and wait for the file."""
    get_stream_writer()({"waiting": True})
    while not Path(state["gate"]).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
        await asyncio.sleep(0.01)
    return {"messages": [("ai", "I was let go.")]}


async def advance(state):
    """Count a step on, and tell it; with a gate, half of the way is only gone when it is there."""
    step = state.get("step", 0)
    get_stream_writer()({"step": step})
    await asyncio.sleep(0.05)
    if step == state["steps"] // 2 and "gate" in state:
        while not Path(state["gate"]).exists():  # noqa: ASYNC110, ASYNC240 - as above
            await asyncio.sleep(0.01)
    return {"step": step + 1}


talk = StateGraph(State).add_node(reply).add_edge(START, "reply")
ask = StateGraph(State).add_node(confirm).add_edge(START, "confirm")
count_up = StateGraph(State).add_node(advance).add_edge(START, "advance")
count_up.add_conditional_edges(
    "advance", lambda state: "advance" if state["step"] < state["steps"] else END
)
hold = StateGraph(State).add_node(wait).add_edge(START, "wait")
