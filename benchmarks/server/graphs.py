"""The graphs of `benchmarks.server.runs`, as any server of LangGraph's protocol loads them."""

from collections.abc import AsyncIterator
from typing import Any, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import MessagesState, StateGraph

TOKENS = 200


class State(TypedDict):
    """A number."""

    n: int


class Counting(GenericFakeChatModel):
    """A model that says 200 words as fast as it can."""

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for n in range(TOKENS):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{n} "))


def nothing(_: State) -> dict[str, Any]:
    """Do nothing."""
    return {}


async def count(_: MessagesState) -> dict[str, Any]:
    """Ask the model."""
    model = Counting(messages=iter([AIMessage("")]))
    return {"messages": [await model.ainvoke("Count.")]}


def echo(state: MessagesState) -> dict[str, Any]:
    """Say what was said."""
    return {"messages": [AIMessage(state["messages"][-1].text)]}


nothing_graph = StateGraph(State).add_node(nothing).set_entry_point("nothing").compile()
count_graph = StateGraph(MessagesState).add_node(count).set_entry_point("count").compile()
echo_graph = StateGraph(MessagesState).add_node(echo).set_entry_point("echo").compile()
