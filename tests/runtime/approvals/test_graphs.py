"""Approvals in every kind of graph: parallel tools, plain functions, tools of LangChain's."""

import asyncio
from multiprocessing import get_context

import pytest

from tests.runtime.approvals.conftest import MAIL, SCRIPT, mailer, only
from treadle.agents import Agent, Rule
from treadle.core.errors import InputError, RunError
from treadle.runtime.approvals import ApprovalStatus
from treadle.runtime.runs import RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say

ASK = (Rule(tool="send_*", then="ask"),)

PLAIN = """
from langgraph.graph import START, MessagesState, StateGraph
from langchain_core.messages import AIMessage
from effects import note, send_mail, pay

def work(state: MessagesState):
    paid = pay.invoke({"amount": 5})
    first = send_mail.invoke({"to": "ada@example.org", "text": "one"})
    second = send_mail.invoke({"to": "ada@example.org", "text": "two"})
    return {"messages": [AIMessage(f"{paid} {first} {second}")]}

builder = StateGraph(MessagesState)
builder.add_node(work)
builder.add_edge(START, "work")
graph = builder.compile()
"""

FOREIGN = '''
import os
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from effects import note

@tool
def send_mail(to: str, copies: int = 1) -> str:
    """Send a mail."""
    note(f"mail {to} {copies!r}")
    return f"Sent to {to}."

model = ChatOpenAI(
    model="gpt-5-mini", base_url=os.environ["TEST_URL"], api_key=os.environ["TEST_KEY"]
).bind_tools([send_mail])

async def think(state: MessagesState):
    return {"messages": [await model.ainvoke(state["messages"])]}

builder = StateGraph(MessagesState)
builder.add_node(think)
builder.add_node("tools", ToolNode([send_mail]))
builder.add_edge(START, "think")
builder.add_conditional_edges("think", tools_condition)
builder.add_edge("tools", "think")
graph = builder.compile()
'''


def graph_agent(project, text, name):
    """Return an agent whose graph is the text, in a module of its own beside the tools."""
    effects = (project.path / "effects.py").read_text()
    body = text.replace("from effects import note, send_mail, pay", "").replace(
        "from effects import note", ""
    )
    (project.path / f"{name}.py").write_text(effects + body)
    return Agent(name=name, graph=f"{name}.py:graph", policy=ASK)


async def test_a_sibling_of_a_call_that_waits_is_made_once(opened, project):
    both = calls(call("pay", amount=7), call("send_mail", to="ada@example.org", text="Hello"))
    with ScriptedOpenAI([both, say("Done.")]) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Pay, and write to Ada.")
            assert project.calls == ["pay 7.0"]
        async with opened(server) as rt:
            await rt.approvals.approve((await only(rt)).id, by="Grace")
            await rt.resume(reply.run_id, agent=mailer())
            assert project.calls == ["mail ada@example.org Hello 1", "pay 7.0"]
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_of_several_that_wait_those_answered_go_on(opened, project):
    names = ["ada", "bob", "eve"]
    three = calls(*(call("send_mail", to=f"{name}@example.org", text="Hi") for name in names))
    with ScriptedOpenAI([three, say("Done.")]) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to all.")
            ids = {one.arguments["to"][:3]: one.id for one in await rt.approvals.pending()}
            assert sorted(ids) == names
            with pytest.raises(RunError, match="waits for an answer"):
                await rt.resume(reply.run_id, agent=mailer())
            await rt.approvals.approve(ids["bob"], by="Grace")
            await rt.approvals.reject(ids["eve"], "Not Eve.", by="Grace")
            await rt.resume(reply.run_id, agent=mailer())
            assert project.calls == ["mail bob@example.org Hi 1"]
            assert (await rt.runs.get(reply.run_id)).status is RunStatus.INTERRUPTED
            assert (await rt.runs.replay(reply.run_id)).difference is None
            assert (await only(rt)).id == ids["ada"]
            edited = {"to": "lin@example.org", "text": "Hi", "copies": 2}
            await rt.approvals.edit(ids["ada"], edited, by="Grace")
            done = await rt.resume(reply.run_id, agent=mailer())
            assert done.text == "Done."
            assert project.calls == ["mail bob@example.org Hi 1", "mail lin@example.org Hi 2"]
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_a_plain_function_asks_twice_in_a_row(opened, project):
    agent = graph_agent(project, PLAIN, "plain")
    with ScriptedOpenAI([]) as server:
        async with opened(server) as rt:
            reply = await rt.ask(agent, "Go.")
            assert project.calls == ["pay 5.0"]
            for text in ("one", "two"):
                approval = await only(rt)
                assert approval.arguments["text"] == text
                await rt.approvals.approve(approval.id, by="Grace")
                done = await rt.resume(reply.run_id, agent=agent)
            assert done.text == "Paid 5.0. Sent to ada@example.org. Sent to ada@example.org."
            assert project.calls == [
                "mail ada@example.org one 1",
                "mail ada@example.org two 1",
                "pay 5.0",
            ]
            assert (await rt.runs.replay(reply.run_id)).difference is None


async def test_a_tool_of_langchains_is_asked_about_and_edited(opened, project, monkeypatch):
    both = calls(call("send_mail", to="ada@example.org"), call("send_mail", to="bob@example.org"))
    with ScriptedOpenAI([both, say("Done.")]) as server:
        monkeypatch.setenv("TEST_URL", server.base_url)
        monkeypatch.setenv("TEST_KEY", server.api_key)
        agent = graph_agent(project, FOREIGN, "foreign")
        async with opened(server) as rt:
            reply = await rt.ask(agent, "Write.")
            while waiting := await rt.approvals.pending():
                approval = waiting[-1]
                with pytest.raises(InputError, match=r"copies: .* integer"):
                    await rt.approvals.edit(approval.id, {"to": "a", "copies": "2"}, by="Grace")
                edited = {**approval.arguments, "copies": 2}
                await rt.approvals.edit(approval.id, edited, by="Grace")
                done = await rt.resume(reply.run_id, agent=agent)
            assert done.text == "Done."
            assert project.calls == ["mail ada@example.org 2", "mail bob@example.org 2"]
            assert (await rt.runs.replay(reply.run_id)).difference is None


def test_a_call_that_a_kill_cut_off_finds_its_used_approval(opened, project, redis_6_2):
    die = project.path / "die"

    async def ask(server):
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            approval = await only(rt)
            await rt.approvals.approve(approval.id, by="Grace")
            return reply.run_id, approval.id

    async def resume(server, run, answers=None):
        async with opened(server) as rt:
            done = await rt.resume(run, answers, agent=mailer())
            return done.text, await rt.runs.interrupts(run)

    async def status(server, approval):
        async with opened(server) as rt:
            assert await rt.approvals.pending() == []
            return (await rt.approvals.get(approval)).status

    with ScriptedOpenAI(SCRIPT) as server:
        run, approval = asyncio.run(ask(server))
        die.touch()
        child = get_context("fork").Process(target=lambda: asyncio.run(resume(server, run)))
        child.start()
        child.join(30)
        assert child.exitcode == 9
        die.unlink()
        with redis_6_2.client() as client:
            assert client.delete(*client.scan_iter("*:lock")) == 1  # its lease runs out now
        assert asyncio.run(status(server, approval)) is ApprovalStatus.USED
        _, [waits] = asyncio.run(resume(server, run))
        assert waits["value"]["reason"] == "unknown_outcome"
        text, _ = asyncio.run(resume(server, run, {"repeat": True}))
        assert text == "Done."
        assert asyncio.run(status(server, approval)) is ApprovalStatus.USED
        assert project.calls == ["mail ada@example.org Hello 1"]


async def test_a_secret_is_not_kept_with_an_approval(opened, project, redis_6_2):
    secret = "sk-proj-" + "Ab3" * 16
    mail = call("send_mail", to="ada@example.org", text=secret)
    with ScriptedOpenAI([mail]) as server:
        async with opened(server) as rt:
            await rt.ask(mailer(), "Write to Ada.")
            assert (await only(rt)).arguments["text"] == "[redacted: OpenAI key]"
            with redis_6_2.client() as client:
                held = [client.dump(key) for key in client.scan_iter("*approval*")]
            assert not any(secret.encode() in value for value in held)


async def test_what_a_rule_allows_or_nobody_rules_is_made_at_once(opened, project):
    agent = mailer(Rule(tool="send_mail", when={"to": "*@example.org"}, then="allow"), *ASK)
    both = calls(call("pay", amount=1), call("send_mail", to="ada@example.org", text="Hello"))
    with ScriptedOpenAI([both, say("Done.")]) as server:
        async with opened(server) as rt:
            await rt.ask(agent, "Go.")
            assert project.calls == ["mail ada@example.org Hello 1", "pay 1.0"]


async def test_a_dry_run_asks_nobody(opened, project):
    with ScriptedOpenAI(SCRIPT) as server:
        async with opened(server) as rt:
            plan = await rt.dry_run(mailer(), "Write to Ada.")
            assert [effect.tool for effect in plan.effects] == ["send_mail"]
            assert await rt.approvals.pending() == []
            assert project.calls == []


async def test_a_forgotten_thread_leaves_no_approval(opened, project, redis_6_2):
    with ScriptedOpenAI([MAIL]) as server:
        async with opened(server) as rt:
            reply = await rt.ask(mailer(), "Write to Ada.")
            with redis_6_2.client() as client:
                assert all(client.pttl(key) > 0 for key in client.scan_iter("*approval*"))
                assert (await rt.forget_thread(reply.thread_id))["approvals"] == 1
                assert list(client.scan_iter("*approval*")) == []
            assert await rt.approvals.pending() == []


async def test_the_list_heals_itself(opened, project, redis_6_2):
    with ScriptedOpenAI([MAIL] * 3) as server:
        async with opened(server) as rt:
            replies = [await rt.ask(mailer(), "Write to Ada.") for _ in range(3)]
            first, *others = await rt.approvals.pending()
            assert first.thread_id == replies[0].thread_id
            with redis_6_2.client() as client:
                client.delete(*client.scan_iter(f"*:approval:{first.id}"))
                assert await rt.approvals.pending() == others
                assert await rt.approvals.pending(limit=1) == others[:1]
                [waiting] = client.scan_iter("*{approvals}*")
                assert client.zcard(waiting) == 2
