"""Small graphs to checkpoint, and ways to look at what became of them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph, add_messages


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def answer(state: Chat) -> dict[str, Any]:
    return {"messages": [AIMessage(f"answer {len(state['messages'])}")]}


def chat_graph(
    saver: BaseCheckpointSaver[Any] | None, node: Callable[[Any], Any] = answer, state: type = Chat
) -> Any:
    """Return a compiled graph of the one node ``node``."""
    builder = StateGraph(state)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile(checkpointer=saver)


def thread(thread_id: str = "t", checkpoint_id: str | None = None) -> dict[str, Any]:
    """Return a config."""
    configurable = {"thread_id": thread_id}
    if checkpoint_id is not None:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}


def said(*texts: str) -> dict[str, list[HumanMessage]]:
    """Return an input of human messages."""
    return {"messages": [HumanMessage(text) for text in texts]}


def texts(messages: Sequence[AnyMessage]) -> list[str]:
    """Return the contents of messages."""
    return [str(message.content) for message in messages]
