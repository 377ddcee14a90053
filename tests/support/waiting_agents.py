"""Agents whose runs wait for a person: ``buyer`` asks twice, ``payer`` asks for leave."""

from collections.abc import Mapping
from pathlib import Path

_SHOP = """
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


def order(state):
    what = interrupt({question!r})
    much = interrupt("How much of it?")
    return {{"messages": [("ai", f"Ordered {{much!r}} of {{what!r}}.")]}}


graph = StateGraph(MessagesState).add_node(order).add_edge(START, "order")
"""
_BANK = '''
from treadle.tools import Effect, tool


@tool(effect=Effect.ONCE)
def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: how much.
    """
    return f"paid {amount}"
'''
_PAYER = 'tools: [waiting_bank.py:pay]\npolicy:\n  - tool: "*"\n    then: ask\n'


def make_waiting_agents(folder: Path, question: Mapping[str, object]) -> None:
    """Make the agents in a project; the first asks the question, then how much."""
    (folder / "agents").mkdir()
    (folder / "waiting_shop.py").write_text(_SHOP.format(question=dict(question)))
    (folder / "waiting_bank.py").write_text(_BANK)
    (folder / "agents" / "buyer.yaml").write_text("graph: waiting_shop.py:graph\n")
    (folder / "agents" / "payer.yaml").write_text(_PAYER)
