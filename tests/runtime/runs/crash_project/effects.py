"""What the runs that are killed do to the world, and graphs of every kind that do it.

The tools are there twice: Treadle's own, and LangChain's for graphs that were not written for it.
"""

import os
import urllib.request
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, InjectedToolArg
from langchain_core.tools import tool as langchain_tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from treadle.tools import Effect, tool


def post(path: str, key: str = "") -> str:
    """Tell the counting server of an effect."""
    url = os.environ["EFFECTS_URL"] + path
    request = urllib.request.Request(url, data=b"", headers={"X-Key": key}, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


@tool(effect=Effect.READ)
def read() -> str:
    """Read something."""
    return post("/read")


@tool(effect=Effect.KEYED)
def keyed(idempotency_key: str) -> str:
    """Do something with a key."""
    return post("/keyed", idempotency_key)


@tool(effect=Effect.ONCE)
def once() -> str:
    """Do something once."""
    return post("/once")


def foreign_tools() -> list[BaseTool]:
    """Return the same tools as LangChain's; what says nothing of itself is done once."""

    @langchain_tool("read")
    def look() -> str:
        """Read something."""
        return post("/read")

    @langchain_tool("keyed")
    def put(idempotency_key: Annotated[str, InjectedToolArg]) -> str:
        """Do something with a key."""
        return post("/keyed", idempotency_key)

    @langchain_tool("once")
    def act() -> str:
        """Do something once."""
        return post("/once")

    look.metadata = {"treadle_effect": "read"}
    put.metadata = {"treadle_effect": "keyed"}
    return [look, put, act]


def model() -> ChatOpenAI:
    """Return a model as anybody makes one: its address and key come from the environment."""
    return ChatOpenAI(model="gpt-5-mini", max_retries=0, timeout=5)


def foreign() -> Any:
    """Return an agent of LangChain's own."""
    return create_agent(model(), foreign_tools())


def subgraph() -> Any:
    """Return a graph one of whose nodes is such an agent."""

    async def report(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"Reported: {state['messages'][-1].text}")]}

    graph = StateGraph(MessagesState).add_node("work", foreign()).add_node("report", report)
    return graph.add_edge(START, "work").add_edge("work", "report")


def plain() -> Any:
    """Return a graph of plain functions, which LangGraph runs in threads."""
    tools = foreign_tools()
    bound = model().bind_tools(tools)

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("think", think).add_node("tools", ToolNode(tools))
    graph.add_edge(START, "think").add_conditional_edges("think", tools_condition)
    return graph.add_edge("tools", "think")
