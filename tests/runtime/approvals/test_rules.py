"""Rules of a policy that no call can fit: refused by name, before a run begins."""

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import ConfigError
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, say

BANK = '''
from pydantic import BaseModel
from langchain_core.tools import tool as plain_tool
from treadle.tools import Effect, tool

PAID = []


class Account(BaseModel):
    currency: str
    owner: "Account | None" = None


@tool(effect=Effect.ONCE)
def pay(amount: float, account: Account | None = None, to: list[Account] | None = None) -> str:
    """Pay.

    Args:
        amount: how much.
        account: from where.
        to: to whom.
    """
    PAID.append(amount)
    return "Paid."


@tool(effect=Effect.READ)
def look(at: str, more: dict[str, str] | None = None) -> str:
    """Look.

    Args:
        at: at what.
        more: anything else.
    """
    return at


@plain_tool
def refund(amount: float) -> str:
    """Give back."""
    return str(amount)
'''
GRAPH = """
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from bank import pay, refund


def said(state):
    return {"messages": [AIMessage("", tool_calls=[
        {"name": "pay", "args": {"amount": 500.0}, "id": "1", "type": "tool_call"}])]}


graph = StateGraph(MessagesState).add_node("said", said).add_node("tools", ToolNode([pay, refund]))
graph = graph.add_edge(START, "said").add_edge("said", "tools")
"""
TOOLS = ("bank.py:pay", "bank.py:look", "bank.py:refund")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bank.py").write_text(BANK)
    (tmp_path / "own.py").write_text(GRAPH)
    return tmp_path


def agent(*rules, **changes):
    return Agent(**{"name": "payer", "tools": TOOLS, "policy": rules, **changes})


@pytest.fixture
async def opened(redis_url, folder):
    with ScriptedOpenAI(lambda _: say("Done.")) as server:
        async with Runtime.open(redis_url, folder, settings=settings_for(server)) as rt:
            yield rt, server


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"tool": "payy", "then": "ask"}, "rule 2 .*'payy', which .* not have. Did you mean 'pay'"),
        ({"tool": "pay", "when": {"amout": {"min": 1}}}, "'amout', which 'pay' .*mean 'amount'"),
        ({"tool": "refund", "when": {"amounts": 1}}, "'amounts', which 'refund'.*mean 'amount'"),
        ({"tool": "*", "when": {"amout": 1}}, "'amout', which 'look', 'pay', 'refund' do not"),
        ({"tool": "p*", "when": {"account.curency": "EUR"}}, "mean 'account.currency'"),
        ({"tool": "pay", "when": {"account.owner.owner.nick": "x"}}, "account.owner.owner.owner"),
        ({"tool": "pay", "when": {"to.0.currncy": "EUR"}}, "mean"),
        ({"tool": "pay", "when": {"amount.value": 3}}, "'amount.value'.*There are.*amount"),
        ({"tool": "pay", "effect": "read"}, "of effect read; they are of effect once"),
        ({"tool": "ask_finder"}, "'ask_finder', which the agent does not have"),
    ],
)
async def test_a_rule_that_can_be_for_no_call_is_refused(opened, rule, told):
    runtime, server = opened
    rules = ({"tool": "look", "then": "allow"}, {"then": "deny", **rule})
    with pytest.raises(ConfigError, match=told):
        await runtime.ask(agent(*rules), "Pay 500.")
    assert not server.requests


@pytest.mark.parametrize(
    "rule",
    [
        {"tool": "*"},
        {"tool": "del_*", "when": {"anything": 1}},
        {"tool": "[lp]*", "when": {"at": "x"}},
        {"tool": "read_more"},
        {"tool": "pay", "effect": "once", "when": {"account.owner.owner.currency": "EUR"}},
        {"tool": "pay", "when": {"to.0.currency": "EUR", "to.currency": "USD", "to": None}},
        {"tool": "look", "when": {"more.anything": "x"}},
        {"tool": "refund", "when": {"amount": {"min": 1}}},
    ],
)
async def test_a_rule_that_can_be_for_a_call_is_taken(opened, rule):
    runtime, _ = opened
    assert (await runtime.ask(agent({"then": "deny", **rule}), "Hello.")).text == "Done."


async def test_a_rule_of_an_agent_that_works_for_another_is_looked_at_too(opened, folder):
    runtime, server = opened
    (folder / "agents").mkdir()
    (folder / "agents" / "pay-er.yaml").write_text(
        "tools: ['bank.py:pay']\npolicy: [{tool: payy, then: ask}]\n"
    )
    boss = {"name": "boss", "graph": "supervisor", "tools": (), "agents": ("pay-er",)}
    with pytest.raises(ConfigError, match=r"rule 1 .*'pay-er'.*'payy'"):
        await runtime.ask(agent(**boss), "Pay.")
    (folder / "agents" / "pay-er.yaml").write_text("tools: ['bank.py:pay']\n")
    with pytest.raises(ConfigError, match="'pay', which the agent does not have"):
        await runtime.ask(agent({"tool": "pay", "then": "ask"}, **boss), "Pay.")
    assert not server.requests
    rules = [{"tool": name, "then": "ask"} for name in ("ask_pay_er", "hand_over")]
    assert (await runtime.ask(agent(*rules, **boss), "Hello.")).text == "Done."


async def test_an_own_graph_may_call_tools_that_nobody_else_knows(opened):
    runtime, _ = opened
    own = {"graph": "own.py:graph", "tools": ()}
    with pytest.raises(ConfigError, match="'amout', which 'pay' does not take"):
        await runtime.ask(agent({"tool": "pay", "when": {"amout": 1}, "then": "deny"}, **own), "x")
    rules = [{"tool": "unseen", "then": "deny"}, {"tool": "pay", "then": "deny"}]
    reply = await runtime.ask(agent(*rules, **own), "Pay.")
    ended = [e.data async for e in runtime.runs.entries(reply.run_id) if e.type == "call.finished"]
    assert "pay: deny" in str(ended)
