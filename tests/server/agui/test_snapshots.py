"""What a page that opens a thread is shown of it, and what an agent's graph shares with pages."""

import uuid

import pytest

from tests.server.agui.test_agui import client_of, events_of, server, text_of
from treadle.runtime.testing import ScriptedOpenAI, call, say

__all__ = ["client_of", "server"]
PLANNER = """
from typing import Annotated, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import interrupt


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    plan: list[str]
    hidden: str


class Shown(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    plan: list[str]


def plan(state):
    return {"plan": [*state.get("plan", []), state["messages"][-1].text], "hidden": "secret"}


def ask(state):
    return {"messages": [("ai", f"Done: {interrupt('Shall I?')}")]}


graph = (
    StateGraph(State, output_schema=Shown)
    .add_node(plan)
    .add_node(ask)
    .add_edge(START, "plan")
    .add_edge("plan", "ask")
)
"""
SETTINGS = """
model = "scripted"

[models.scripted]
model = "openai:gpt-5-mini"
base_url = "{url}"
api_key_env = "SCRIPTED_KEY"

[server]
require_key = true
"""
CAREFUL = 'tools: [calculate]\npolicy:\n  - tool: "*"\n    then: ask\n'
WEATHER = {"name": "weather", "description": "", "parameters": {"type": "object", "properties": {}}}


def _answer(request):
    if results := request.tool_outputs:
        return say(f"It says {' and '.join(results.values())}.")
    if "weather" in request.last_user_text:
        return call("weather")
    return call("calculate", expression="6*7")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "agents").mkdir()
    (folder / "agui_plan.py").write_text(PLANNER)
    (folder / "agents" / "planner.yaml").write_text("graph: agui_plan.py:graph\n")
    (folder / "agents" / "counter.yaml").write_text("tools: [calculate]\n")
    (folder / "agents" / "careful.yaml").write_text(CAREFUL)
    with ScriptedOpenAI(_answer, verify=False) as model, pytest.MonkeyPatch.context() as patch:
        (folder / "treadle.toml").write_text(SETTINGS.format(url=model.base_url))
        patch.setenv("SCRIPTED_KEY", model.api_key)
        yield folder


def body(thread_id, text="", **about):
    said = [{"id": uuid.uuid4().hex, "role": "user", "content": text}] if text else []
    ids = {"threadId": thread_id, "runId": uuid.uuid4().hex}
    return {**ids, "messages": said, "tools": [], "context": [], **about}


def kinds(events):
    return [event.type.value for event in events]


async def opened(client, agent, thread_id, **about):
    """Return what is told to a page that opens a thread, and the messages it holds then."""
    events = await events_of(client, agent, body(thread_id, **about))
    [snapshot] = [event for event in events if event.type.value == "MESSAGES_SNAPSHOT"]
    return events, snapshot.messages


def sent_back(messages):
    """Return messages as a page sends them with its next request."""
    return [message.model_dump(by_alias=True, exclude_none=True) for message in messages]


async def test_a_page_that_opens_a_thread_is_shown_what_was_said(client_of):
    ann, thread = await client_of("ann"), uuid.uuid4().hex
    await events_of(ann, "counter", body(thread, "Please compute"))
    events, held = await opened(ann, "counter", thread)
    assert kinds(events) == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert events[-1].outcome.type == "success"
    assert [message.role for message in held] == ["user", "assistant", "tool", "assistant"]
    [made] = held[1].tool_calls
    assert (made.function.name, made.id) == ("calculate", held[2].tool_call_id)
    assert held[2].content == "6*7 = 42"
    assert len({message.id for message in held}) == 4
    more = body(thread, "Again")
    more["messages"] = [*sent_back(held), *more["messages"]]
    await events_of(ann, "counter", more)
    _, later = await opened(ann, "counter", thread)
    assert later[:4] == held
    assert len(later) == 6


async def test_a_page_that_opens_a_thread_is_shown_what_waits_on_it(client_of):
    ann, thread = await client_of("ann", scope="admin"), uuid.uuid4().hex
    first = await events_of(ann, "careful", body(thread, "Please compute"))
    [interrupt] = first[-1].outcome.interrupts
    events, held = await opened(ann, "careful", thread)
    assert [message.role for message in held] == ["user"]
    proposal = [event for event in events if event.type.value.startswith("TOOL_CALL_")]
    assert [event.tool_call_id for event in proposal] == [interrupt.tool_call_id] * 3
    assert events[-1].outcome.interrupts == [interrupt]
    decided = {"interruptId": interrupt.id, "status": "resolved", "payload": {"approved": True}}
    done = await ann.post("/agui/careful", json=body(thread, resume=[decided]))
    assert "It says 6*7 = 42." in done.text


async def test_a_page_that_opens_a_thread_makes_the_calls_that_are_its_own(client_of):
    ann, thread = await client_of("ann"), uuid.uuid4().hex
    await events_of(ann, "counter", body(thread, "the weather?", tools=[WEATHER]))
    events, held = await opened(ann, "counter", thread, tools=[WEATHER])
    [started] = [event for event in events if event.type.value == "TOOL_CALL_START"]
    result = {"id": "r", "role": "tool", "toolCallId": started.tool_call_id, "content": "sun"}
    answered = body(thread, tools=[WEATHER])
    answered["messages"] = [*sent_back(held), result]
    assert text_of(await events_of(ann, "counter", answered)) == "It says sun."


async def test_what_is_anothers_or_not_there_is_not_shown(client_of):
    ann, ben, thread = await client_of("ann"), await client_of("ben"), uuid.uuid4().hex
    await events_of(ann, "counter", body(thread, "Please compute"))
    for resume in (None, [{"interruptId": "x", "status": "cancelled"}]):
        about = {"resume": resume} if resume else {}
        hidden = await ben.post("/agui/counter", json=body(thread, **about))
        assert hidden.status_code == 404
        assert "compute" not in hidden.text
    assert (await ann.post("/agui/counter", json=body(uuid.uuid4().hex))).status_code == 422


async def test_a_graph_shares_what_it_gives_out(client_of):
    ann, thread = await client_of("ann"), uuid.uuid4().hex
    first = await events_of(ann, "planner", body(thread, "Weave"))
    assert kinds(first)[-2:] == ["STATE_SNAPSHOT", "RUN_FINISHED"]
    assert first[-2].snapshot == {"plan": ["Weave"]}
    shown, _ = await opened(ann, "planner", thread)
    assert kinds(shown) == ["RUN_STARTED", "STATE_SNAPSHOT", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert shown[1].snapshot == {"plan": ["Weave"]}
    [interrupt] = shown[-1].outcome.interrupts
    assert interrupt.message == "Shall I?"
    answer = {"interruptId": interrupt.id, "status": "resolved", "payload": "yes"}
    refused = await ann.post("/agui/planner", json=body(thread, resume=[answer], state={"a": 1}))
    assert refused.status_code == 422
    assert "STATE_SNAPSHOT" in refused.text
    as_told = {"plan": ["Weave"]}
    done = await events_of(ann, "planner", body(thread, resume=[answer], state=as_told))
    assert text_of(done) == "Done: yes"
    second = await events_of(ann, "planner", body(thread, "Dye", state=as_told))
    assert second[-2].snapshot == {"plan": ["Weave", "Dye"]}
    for where in (thread, uuid.uuid4().hex):  # It is another one by now, or there is none.
        stale = await ann.post("/agui/planner", json=body(where, "More", state=as_told))
        assert stale.status_code == 422
