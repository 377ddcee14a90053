"""What runs tell beside their answer: events of every part, where to say something, a webhook."""

import base64
import hashlib
import hmac
import json

import httpx
import pytest
from langgraph_sdk import get_client

from tests.server.langgraph.app import make_project, running
from tests.support.waiting import eventually
from tests.support.web_server import web_server
from treadle.core.settings import Settings
from treadle.runtime.runs import recorded_options

ASKED = {"said": ["hello"]}
SECRET = "a secret of some thirty-two bytes"


async def parts_of(client, **told):
    """Stream a run of its own and return the parts."""
    return [part async for part in client.runs.stream(None, "own", input=ASKED, **told)]


async def test_events_of_every_part_are_streamed_beside_other_modes(client):
    parts = await parts_of(client, stream_mode=["events", "values"])
    events = [part.data for part in parts if part.event == "events"]
    assert (events[0]["event"], events[0]["name"]) == ("on_chain_start", "own")
    assert {"first", "inner", "deep"} <= {one["name"] for one in events}
    assert (events[-1]["event"], events[-1]["name"]) == ("on_chain_end", "own")
    values = [part.data for part in parts if part.event == "values"]
    alone = await parts_of(client, stream_mode="values")
    told = [part.data for part in alone if part.event == "values"]
    assert [one["said"] for one in values] == [one["said"] for one in told]
    assert values[-1]["said"][:2] == ["hello", "first"]


async def test_only_what_was_asked_for_is_streamed(client):
    parts = await parts_of(client, stream_mode="events")
    assert {part.event for part in parts} == {"metadata", "events", "end"}


async def test_tags_reach_what_runs(client):
    parts = await parts_of(client, stream_mode="events", config={"tags": ["nightly"]})
    [begun] = [p.data for p in parts if p.event == "events" and p.data["name"] == "own"][:1]
    assert begun["tags"] == ["nightly"]


async def test_where_to_say_something_is_streamed(client):
    parts = await parts_of(client, stream_mode="values", feedback_keys=["good", "a/b c"])
    [told] = [part.data for part in parts if part.event == "feedback"]
    assert set(told) == {"good", "a/b c"}
    assert told["a/b c"].startswith("http://127.0.0.1")
    assert told["a/b c"].endswith("/feedback/a%2Fb%20c")


async def test_the_address_a_run_names_is_told_how_it_ended(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with web_server() as web:
        settings = Settings.model_validate(
            {
                "server": {"webhook_secret_env": "HOOK_SECRET"},
                "outgoing": {"allow": [web.url.removeprefix("http://")]},
            }
        )
        project = make_project(tmp_path)
        async with (
            running(redis_url, project, settings) as (url, runtime),
            get_client(url=url) as client,
            runtime.unattended(),
        ):
            thread = (await client.threads.create())["thread_id"]
            about = {"webhook": f"{web.url}/hook?secret=1", "metadata": {"a": 1}}
            await client.runs.wait(thread, "own", input=ASKED, **about)
            await eventually(lambda: web.requests, within_seconds=30)
            [run] = await client.runs.list(thread)
    [request] = web.requests
    body = json.loads(request.body)
    assert body["run_id"] == run["run_id"]
    assert (body["thread_id"], body["status"]) == (thread, "interrupted")
    assert body["assistant_id"] == run["assistant_id"]
    assert body["metadata"]["a"] == 1
    assert "Sure?" in json.dumps(body["data"]["waits_for"])
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(SECRET.encode(), signed + request.body.encode(), hashlib.sha256).digest()
    sent = request.headers["webhook-signature"].removeprefix("v1,")
    assert sent == base64.b64encode(digest).decode()


async def test_an_address_inside_is_never_told(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    settings = Settings.model_validate({"server": {"webhook_secret_env": "HOOK_SECRET"}})
    async with (
        web_server() as web,
        running(redis_url, make_project(tmp_path), settings) as (url, runtime),
        get_client(url=url) as client,
        runtime.unattended(),
    ):
        await client.runs.wait(None, "own", input=ASKED, webhook=f"{web.url}/hook")

        async def failed():
            return [one for one in await runtime.notifications.open() if one.tries]

        [message] = await eventually(failed, within_seconds=30)
        assert not web.requests
    assert "127.0.0.1" in message.why


@pytest.mark.parametrize("hook", ["ftp://example.com", "/hook", "http://" + "x" * 2_000])
async def test_what_is_no_address_is_refused(served, hook):
    async with httpx.AsyncClient(base_url=served[0]) as client:
        answer = await client.post("/runs", json={"assistant_id": "own", "webhook": hook})
    assert answer.status_code == 422
    assert "webhook" in answer.text


@pytest.mark.parametrize(("asked", "kept"), [("sync", "sync"), ("exit", "async"), (None, "async")])
async def test_how_checkpoints_are_kept_is_recorded_with_the_run(client, runtime, asked, kept):
    thread = (await client.threads.create())["thread_id"]
    how = {} if asked is None else {"durability": asked}
    run = await client.runs.create(thread, "own", input=ASKED, **how)
    await client.runs.join(thread, run["run_id"])
    journal = await runtime.runs.journal(run["run_id"])
    assert recorded_options(journal).durability == kept
