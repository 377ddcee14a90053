"""The Agent User Interaction protocol: interrupts, owners, leaving and wrong requests.

Its own client for JavaScript is tried in ``tests/server/js``.
"""

import json
import uuid

import httpx
import pytest
from ag_ui.core import Event, EventType
from pydantic import TypeAdapter

from tests.server.conftest import make_graphs_project
from tests.support.serving import serving
from tests.support.waiting import wait_until
from treadle.memory import connect
from treadle.server.security import ApiKeys

SECRET = "a secret of at least thirty-two characters"
EVENTS = TypeAdapter(Event)
PAUSE = """
import asyncio
from pathlib import Path

from langgraph.graph import START, MessagesState, StateGraph


async def wait(state):
    Path(__file__).with_name("begun").touch()
    try:
        await asyncio.Event().wait()
    finally:
        Path(__file__).with_name("left").touch()


pause = StateGraph(MessagesState).add_node("wait", wait).add_edge(START, "wait")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_graphs_project(tmp_path_factory.mktemp("project"))
    (project / "pause.py").write_text(PAUSE)
    (project / "agents" / "pause.yaml").write_text("graph: pause.py:pause\n")
    (project / "agents" / "plain.yaml").write_text("prompt: You help.\ntools: [calculate]\n")
    (project / "treadle.toml").write_text("[server]\nrequire_key = true\n")
    return project


@pytest.fixture(scope="module")
def server(project, redis_6_2):
    environment = {"TREADLE_KEYS_SECRET": SECRET}
    with serving(project, redis_6_2.url, environment=environment) as served:
        yield served


@pytest.fixture
async def client_of(server, redis_6_2):
    clients = []
    async with connect(redis_6_2.url) as redis:

        async def made(name, **about):
            about = {"tenant": "main", "subject": name, **about}
            key = (await ApiKeys(redis, SECRET.encode()).create(name, **about)).key
            headers = {"Authorization": f"Bearer {key}"}
            clients.append(httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60))
            return clients[-1]

        yield made
    for client in clients:
        await client.aclose()


def asked(text="Do it", **about):
    """Return a request; each is of a run and thread of its own unless it says so."""
    message = {"id": "1", "role": "user", "content": text}
    ids = {"threadId": uuid.uuid4().hex, "runId": uuid.uuid4().hex}
    return {**ids, "messages": [message], "tools": [], "context": [], **about}


async def events_of(client, agent, body):
    answer = await client.post(f"/agui/{agent}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n\n") if line.startswith("data: ")]
    events = [EVENTS.validate_json(line.removeprefix("data: ")) for line in lines]
    check_order(events, body)
    return events


def check_order(events, body):
    """Each thing is begun, told of and ended, one at a time, between the run's own two events."""
    first, *between, last = events
    assert first.type is EventType.RUN_STARTED
    assert (first.thread_id, first.run_id) == (body["threadId"], body["runId"])
    assert last.type in {EventType.RUN_FINISHED, EventType.RUN_ERROR}
    opened, seen = [], set()
    for event in between:
        name = event.type.value
        if name.endswith("_SNAPSHOT"):
            assert not opened
            continue
        subject = getattr(event, "tool_call_id", None) or event.message_id
        if name.endswith("_START"):
            kind = name.removesuffix("_START")
            assert (kind, subject) not in seen
            seen.add((kind, subject))
            opened.append((kind, subject))
        elif name.endswith("_END"):
            assert opened.pop() == (name.removesuffix("_END"), subject)
        elif name == "TOOL_CALL_RESULT":
            assert ("TOOL_CALL", subject) in seen
            assert not opened
        else:
            assert opened[-1] == (name.removesuffix("_CONTENT").removesuffix("_ARGS"), subject)
    assert not opened


def text_of(events):
    return "".join(e.delta for e in events if e.type is EventType.TEXT_MESSAGE_CONTENT)


async def test_an_interrupt_ends_a_run_and_the_next_answers_it(client_of):
    ann, body = await client_of("ann"), asked()
    first = await events_of(ann, "ask", body)
    [interrupt] = first[-1].outcome.interrupts
    assert interrupt.reason == "input_required"
    assert interrupt.metadata["value"] == {"question": "Sure?"}
    answer = {"interruptId": interrupt.id, "status": "resolved", "payload": "certain"}
    wrong = asked(threadId=body["threadId"], resume=[{**answer, "interruptId": "none"}])
    refused = await ann.post("/agui/ask", json=wrong)
    assert refused.status_code == 422
    assert "'none'" in refused.json()["detail"]
    second = await events_of(
        ann, "ask", asked(threadId=body["threadId"], messages=[], resume=[answer])
    )
    assert second[-1].outcome.type == "success"
    assert text_of(second) == "You are certain."
    assert second[0].metadata["treadle"] == first[0].metadata["treadle"]
    again = await events_of(
        ann, "ask", asked(threadId=body["threadId"], messages=[], resume=[answer])
    )
    assert "no run waits" in again[0].metadata["treadle"]["warning"]
    assert [event.type for event in again[1:]] == ["MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert again[1].messages[-1].content == "You are certain."


async def test_an_interrupt_that_is_cancelled_stops_the_run(client_of):
    ann, body = await client_of("ann"), asked()
    first = await events_of(ann, "ask", body)
    [interrupt] = first[-1].outcome.interrupts
    entry = {"interruptId": interrupt.id, "status": "cancelled"}
    last = await events_of(ann, "ask", asked(threadId=body["threadId"], resume=[entry]))
    assert [event.type for event in last] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]
    assert last[-1].outcome.type == "cancelled"
    run = await ann.get(f"/runs/{first[0].metadata['treadle']['runId']}")
    assert run.json()["status"] == "cancelled"


async def test_what_is_anothers_is_not_found(client_of):
    ann, body = await client_of("ann"), asked("The word is heddle")
    [interrupt] = (await events_of(ann, "ask", body))[-1].outcome.interrupts
    entry = {"interruptId": interrupt.id, "status": "resolved", "payload": "certain"}
    ben = await client_of("ben")
    for other in (ben, await client_of("elsewhere", subject="ann", tenant="other")):
        resumed = asked(threadId=body["threadId"], resume=[entry])
        refused = await other.post("/agui/ask", json=resumed)
        assert refused.status_code == 404
        assert "heddle" not in refused.text
    taken = asked("Go on", threadId=body["threadId"])
    assert (await ben.post("/agui/ask", json=taken)).status_code == 404


async def test_a_key_says_what_may_be_asked(client_of):
    reader, other = await client_of("r", scope="read"), await client_of("o", agents=("ask",))
    assert (await reader.post("/agui/talk", json=asked())).status_code == 403
    assert (await other.post("/agui/talk", json=asked())).status_code == 404


async def test_a_run_ends_when_its_client_leaves(client_of, project):
    ann = await client_of("ann")
    async with ann.stream("POST", "/agui/pause", json=asked()) as answer:
        line = await anext(answer.aiter_lines())
        assert json.loads(line.removeprefix("data: "))["type"] == "RUN_STARTED"
        wait_until((project / "begun").exists)
    wait_until((project / "left").exists)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": {"a": 1}}, "state"),
        ({"forwardedProps": {"a": 1}}, "forwardedProps"),
        ({"more": 1}, "more"),
        ({"threadId": ""}, "threadId"),
        ({"messages": []}, "nothing to answer"),
        ({"messages": [{"id": "1", "role": "nobody", "content": "?"}]}, "messages"),
        ({"tools": [{"name": "calculate", "description": "", "parameters": {}}]}, "calculate"),
        ({"tools": [{"name": "x", "description": "", "parameters": "x"}]}, "'x'"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(client_of, changes, said):
    answer = await (await client_of("ann")).post("/agui/plain", json=asked(**changes))
    assert answer.status_code == 422, answer.text
    assert said in answer.text


async def test_a_part_that_is_no_text_is_refused(client_of):
    source = {"type": "url", "value": "http://127.0.0.1/x.png"}
    message = {"id": "1", "role": "user", "content": [{"type": "image", "source": source}]}
    answer = await (await client_of("ann")).post("/agui/plain", json=asked(messages=[message]))
    assert answer.status_code == 422
    assert "'image'" in answer.text
