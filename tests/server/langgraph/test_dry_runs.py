"""Dry runs over HTTP: asked for in a run's config, and their plans at a route of Treadle's own."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from langgraph_sdk import get_client

from tests.server.conftest import make_graphs_project
from tests.support.models import settings_for
from tests.support.serving import serving
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say
from treadle.server import app
from treadle.server.security import ApiKeys, Scope

TOOL = '''
from pathlib import Path


def send_mail(to: str) -> str:
    """Send a mail.

    Args:
        to: whom.
    """
    Path(__file__).with_name("sent").write_text(to)
    return "Sent."
'''
TELL = calls(call("calculate", expression="1+1"), call("send_mail", to="ada@example.com"))
ASKED = {"messages": [{"role": "user", "content": "Tell Ada."}]}
DRY = {"dry_run": True}


@pytest.fixture
async def opened(redis_url, tmp_path, monkeypatch):
    """Serve an agent that mails to clients with keys; give what makes such a client."""
    monkeypatch.setenv("TEST_KEY", "test-key")
    (tmp_path / "agents").mkdir()
    (tmp_path / "mail.py").write_text(TOOL)
    tools = "tools: [mail.py:send_mail, calculate]\n"
    (tmp_path / "agents" / "mailer.yaml").write_text(f"description: Mails.\n{tools}")
    with ScriptedOpenAI([TELL, say("Told.")]) as model:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(model)) as runtime:
            made = app(runtime, workers=0)
            async with running(runtime.worker()):
                keys = ApiKeys(runtime.redis)
                transport = httpx.ASGITransport(made)

                async def client_of(name, **about):
                    made = await keys.create(name, subject=name, **{"tenant": "main", **about})
                    headers = {"x-api-key": made.key}
                    url = "http://127.0.0.1:8123"
                    return httpx.AsyncClient(transport=transport, base_url=url, headers=headers)

                yield client_of
    assert not (tmp_path / "sent").exists(), "a dry run had an effect"


@asynccontextmanager
async def running(worker):
    """Let a worker work."""
    working = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await working


async def planned(http):
    """Make a dry run and wait for it; return its thread and id."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "mailer", "input": ASKED, "config": DRY}
    run = (await http.post(f"/threads/{thread}/runs", json=body)).json()
    assert run["thread_id"] == thread
    joined = (await http.get(f"/threads/{thread}/runs/{run['run_id']}/join")).json()
    assert joined["messages"][-1]["content"] == "Told."
    return thread, run["run_id"]


async def test_a_client_asks_what_a_run_would_do(opened):
    http = await opened("owner")
    thread, run = await planned(http)
    assert (await http.get(f"/threads/{thread}/runs/{run}")).json()["status"] == "success"
    plan = (await http.get(f"/runs/{run}/plan")).json()
    assert plan["effects"] == [
        {"tool": "send_mail", "arguments": {"to": "ada@example.com"}, "effect": "once"}
    ]
    assert plan["reads"] == [{"tool": "calculate", "arguments": {"expression": "1+1"}}]
    assert plan["reply"]["text"] == "Told."
    assert plan["usage"]["model_calls"] == 2
    # The thread is as it was, and lists no run.
    assert (await http.get(f"/threads/{thread}/runs")).json() == []
    assert not (await http.get(f"/threads/{thread}/state")).json()["values"]
    found = (await http.post("/threads/search", json={})).json()
    assert [one["thread_id"] for one in found] == [thread]
    events = await http.get(f"/threads/{thread}/runs/{run}/stream")
    assert "event: end" in events.text
    assert (await http.delete(f"/threads/{thread}")).is_success
    assert (await http.get(f"/runs/{run}/plan")).status_code == 404


async def test_others_see_nothing_of_it(opened):
    thread, run = await planned(await opened("owner"))
    own = await opened("somebody")
    foreign = await opened("stranger", tenant="other", scope=Scope.ADMIN)
    dry = (await (await opened("admin", scope=Scope.ADMIN)).get(f"/runs/{run}")).json()
    for http in (own, foreign):
        for path in (
            *(f"/runs/{run}", f"/runs/{run}/plan", f"/threads/{thread}/runs/{run}"),
            *(f"/threads/{dry['thread_id']}/runs", f"/threads/{dry['thread_id']}/runs/{run}"),
        ):
            answer = await http.get(path)
            assert answer.status_code == 404, path
            assert "ada@example.com" not in answer.text
    taken = await own.post("/threads", json={"thread_id": dry["thread_id"]})
    assert taken.status_code in {404, 409}
    reader = await opened("owner", scope=Scope.READ)
    assert (await reader.get(f"/runs/{run}/plan")).status_code == 200
    body = {"assistant_id": "mailer", "input": ASKED, "config": DRY}
    assert (await reader.post(f"/threads/{thread}/runs", json=body)).status_code == 403


@pytest.fixture
def served(redis_url, tmp_path):
    with serving(make_graphs_project(tmp_path), redis_url) as served:
        yield served


async def test_what_is_no_dry_run_is_refused(served):
    async with get_client(url=served.url) as client, httpx.AsyncClient() as http:
        thread = (await client.threads.create())["thread_id"]
        first = {"assistant_id": "ask", "input": ASKED}
        await client.runs.wait(thread, "ask", input=ASKED)
        for path, body in {
            f"/threads/{thread}/runs#command": {"command": {"resume": 1}, "config": DRY},
            f"/threads/{thread}/runs#nothing": {"config": DRY},
            f"/threads/{thread}/runs#place": {**first, "checkpoint_id": "x", "config": DRY},
            f"/threads/{thread}/runs#odd": {**first, "config": {"dry_run": "yes"}},
            f"/threads/{thread}/runs#inner": {
                **first,
                "config": {"configurable": {}, "dry": True},
            },
            "/runs": {**first, "config": DRY},
            "/runs/crons": {**first, "schedule": "0 8 * * *", "config": DRY},
            "/assistants": {"graph_id": "ask", "config": DRY},
        }.items():
            url = served.url + path.partition("#")[0]
            answer = await http.post(url, json={"assistant_id": "ask", **body})
            assert answer.status_code == 422, (path, answer.text)
        body = {"id": 1, "method": "run.start", "params": {**first, "config": DRY}}
        answer = await http.post(f"{served.url}/threads/{thread}/commands", json=body)
        assert answer.json()["error"] == "not_supported"
        [live] = await client.runs.list(thread)
        answer = await http.get(f"{served.url}/runs/{live['run_id']}/plan")
        assert answer.status_code == 409
        dry = await client.runs.create(thread, "talk", input=ASKED, config=DRY)
        await client.runs.join(thread, dry["run_id"])
        assert (await http.get(f"{served.url}/runs/{dry['run_id']}/plan")).status_code == 200
