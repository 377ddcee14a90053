"""``treadle serve``: what it serves, how it starts and how it stops."""

import json
import re
import signal
import socket

import httpx
import pytest

from tests.server.conftest import BASE
from tests.support.redis_servers import packaged_binary, running_server
from tests.support.serving import serving, treadle
from tests.support.waiting import wait_until
from treadle.runtime import Runtime
from treadle.server import app

GRAPH = """
import os
from langgraph.graph import START, MessagesState, StateGraph

from helper import answer


def reply(state):
    return {"messages": [("ai", answer() + os.environ["GREETING"])]}


graph = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply")
"""

COLLECTED = """
import gc
from typing import TypedDict
from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    frozen: int
    every: int


def look(state):
    return {"frozen": gc.get_freeze_count(), "every": gc.get_threshold()[0]}


graph = StateGraph(State).add_node("look", look).add_edge(START, "look")
"""


@pytest.fixture
def langgraph_project(project):
    (project / "src").mkdir()
    (project / "shared").mkdir()
    (project / "shared" / "helper.py").write_text("def answer():\n    return 'Hello, '\n")
    (project / "src" / "graph.py").write_text(GRAPH)
    (project / "src" / "broken.py").write_text("raise RuntimeError('no such engine')\n")
    (project / "src" / "counter.py").write_text(COLLECTED)
    (project / "agents" / "misspelt.yaml").write_text("promt: You help.\n")
    (project / ".env").write_text("# mine\nexport GREETING='reader'  \nEMPTY=\n")
    about = {
        "dependencies": ["./shared", "numpy"],
        "graphs": {
            "greeter": {"path": "./src/graph.py:graph", "description": "It greets."},
            "broken": "./src/broken.py:graph",
            "counter": "./src/counter.py:graph",
        },
        "env": ".env",
    }
    (project / "langgraph.json").write_text(json.dumps(about))
    return project


def test_it_serves_a_langgraph_json_and_says_what_it_cannot_serve(langgraph_project, redis_url):
    with serving(langgraph_project, redis_url) as served:
        assert httpx.get(f"{served.url}/ok").json() == {"ok": True}
        info = httpx.get(f"{served.url}/info").json()
        assert {"greeter", "plain", "counter"} <= set(info["agents"])
        assert set(info["wordless"]) == {"counter"}
        assert "no 'messages'" in info["wordless"]["counter"]
        models = {one["id"] for one in httpx.get(f"{served.url}/v1/models").json()["data"]}
        assert {"greeter", "plain", "assistant"} <= models
        assert models.isdisjoint({"counter", "broken"})
        assert httpx.get(f"{served.url}/v1/models/counter").status_code == 404
        assert "no such engine" in info["failed"]["broken"]
        assert "Did you mean 'prompt'" in info["failed"]["misspelt"]
        log = served.log.read_text()
        assert "not installed by Treadle: numpy" in log
        assert "no such engine" in log
        refused = httpx.get(f"{served.url}/assistants/broken/schemas")
        assert refused.status_code == 422
        assert "no such engine" in refused.json()["detail"]
        drawn = httpx.get(f"{served.url}/assistants/greeter/graph").json()
        assert "reply" in {node["id"] for node in drawn["nodes"]}
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(30) == 0
        assert "Traceback" not in served.log.read_text()


async def test_a_setting_leaves_out_the_agents_that_come_with_treadle(project, local_app):
    (project / "agents" / "digest.yaml").write_text("description: My own.\n")
    asked = {"model": "assistant", "messages": [{"role": "user", "content": "Hello!"}]}
    async with local_app(project, shipped_agents=False) as client:
        own = ["digest", "plain"]
        models = (await client.get("/v1/models")).json()["data"]
        assert sorted(one["id"] for one in models) == own
        assistants = (await client.post("/assistants/search", json={})).json()
        assert sorted(one["graph_id"] for one in assistants) == own
        assert (await client.get("/info")).json()["agents"] == own
        run = {"assistant_id": "assistant", "input": {"messages": []}}
        assert (await client.post("/runs/wait", json=run)).status_code == 404
        card = await client.get("/a2a/assistant/.well-known/agent-card.json")
        assert card.status_code == 404
        answer = await client.post("/v1/chat/completions", json=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_it_serves_the_agents_of_a_project(project, local_app):
    async with local_app(project) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        info = (await client.get("/info")).json()
        assert "plain" in info["agents"]
        assert info["failed"] == {}
        found = (await client.post("/assistants/search", json={"limit": 100})).json()
        assert {one["graph_id"] for one in found} == set(info["agents"])


async def test_it_counts_requests_by_route_and_never_by_address(project, local_app):
    async with local_app(project) as client:
        await client.get("/threads/secret-place")
        await client.request("BREW", "/no-such-place")
        counts = (await client.get("/metrics")).text
    route = 'method="GET",route="/threads/{thread_id}",status="404"'
    assert f"treadle_http_requests_total{{{route}}} 1.0" in counts
    assert "secret-place" not in counts
    assert "no-such-place" not in counts
    assert "BREW" not in counts


async def test_its_document_lists_its_routes_and_their_problems(project, local_app):
    async with local_app(project) as client:
        document = (await client.get("/openapi.json")).json()
        page = (await client.get("/docs")).text
    operation = document["paths"]["/threads/{thread_id}"]["get"]
    assert operation["responses"]["404"] == {"$ref": "#/components/responses/Problem404"}
    assert "/threads/{thread_id}" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/no-such-path", None, 404),
        ("GET", "/threads/none", None, 404),
        ("DELETE", "/ok", None, 405),
        ("POST", "/threads/search", b"{not json", 422),
        ("POST", "/threads/search", b'{"limit": "many"}', 422),
        ("POST", "/threads/search", b'{"colour": "red"}', 422),
        ("POST", "/threads/search", b"\xff\xfe", 422),
    ],
)
async def test_bad_input_is_answered_with_a_problem_document(
    project, local_app, method, path, body, status
):
    async with local_app(project) as client:
        answer = await client.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"limit": 1,', "body: It is no JSON: .* at character 12"),
        (b"", "body: A JSON object is needed"),
        (b"[]", "body: Input should be an object"),
        (b'{"after": "\xff"}', "The body is not UTF-8"),
        (b'{"select": ["odd"]}', r"body\.select\.0: Input should be "),
        (b'{"sort_by": 3}', r"body\.sort_by: Input should be "),
    ],
)
async def test_what_is_wrong_with_a_body_is_said_in_the_clients_words(
    project, local_app, body, detail
):
    headers = {"content-type": "application/json"}
    async with local_app(project) as client:
        said = (await client.post("/threads/search", content=body, headers=headers)).json()
        assert re.match(detail, said["detail"]), said
        if body:
            unnamed = (await client.post("/threads/search", content=body)).json()
            assert "'Content-Type: application/json'" in unnamed["detail"]


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ("GET /threads/t/runs?foo=1", "query.foo: It is not supported; leave it out"),
        ("GET /threads/t/runs?limit=1&limit=2", "query.limit: It is given more than once"),
        ("GET /threads/t?foo", "query.foo: It is not supported; leave it out"),
        ("POST /threads/search?limit=1", "query.limit: It is not supported; leave it out"),
        (
            "DELETE /assistants/a?delete_threads=true",
            "query.delete_threads: threads do not go with an assistant",
        ),
        ("DELETE /assistants/a?delete_threads=false", None),
        ("GET /threads/t/runs/r/join?cancel_on_disconnect=0", None),
        ("GET /runs/r?foo=1", "query.foo: It is not supported; leave it out"),
        ("GET /threads/t/runs?select=run_id&select=status", None),
        ("GET /threads/t/stream?stream_mode=lifecycle&stream_mode=run_modes", None),
    ],
)
async def test_a_query_that_nobody_supports_is_refused_by_name(project, local_app, asked, detail):
    method, path = asked.split()
    async with local_app(project) as client:
        answer = await client.request(method, path, json={} if method == "POST" else None)
        if detail is None:
            assert answer.status_code == 404, "it is looked for"
        else:
            assert answer.status_code == 422
            assert answer.json()["detail"].startswith(detail)


def test_a_change_of_a_file_starts_it_again(project, redis_url):
    with serving(project, redis_url, "--reload") as served:

        def agents():
            try:
                return httpx.get(f"{served.url}/info").json()["agents"]
            except httpx.TransportError:
                return []

        wait_until(lambda: "plain" in agents(), within_seconds=60)
        (project / "agents" / "plain.yaml").write_text("tools: [no_such_tool]\n")
        wait_until(lambda: (found := agents()) and "plain" not in found, within_seconds=60)
        (project / "treadle.toml").write_text("tenant = [")
        wait_until(lambda: "started again when" in served.log.read_text(), within_seconds=60)
        (project / "treadle.toml").unlink()
        (project / "agents" / "plain.yaml").write_text("prompt: You help.\n")
        wait_until(lambda: "plain" in agents(), within_seconds=60)
        assert served.stop() == 0
        said = served.log.read_text()
        assert "error: " in said
        assert "this is not valid TOML" in said
        assert "Traceback" not in said


def test_a_taken_port_is_said_in_a_sentence(project, redis_url):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = treadle("serve", "-p", str(project), "--redis", redis_url, "--port", port)
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_redis_out_of_reach_is_said_in_a_sentence(project):
    nowhere = "redis://127.0.0.1:1"
    ended = treadle("serve", "-p", str(project), "--redis", nowhere, "--port", "0")
    assert ended.returncode == 2
    assert "error:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_other_machines_are_let_in_by_key_alone(project, redis_url):
    options = ("-p", str(project), "--redis", redis_url)
    refused = treadle("serve", *options, "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "treadle keys create" in refused.stderr
    assert "Serving" not in refused.stderr
    assert treadle("keys", "create", "", *options).returncode == 2
    made = treadle("keys", "create", "for a test", "--agent", "plain", *options)
    assert made.returncode == 0
    key = made.stdout.strip()
    with serving(project, redis_url, "--host", "0.0.0.0") as served:
        url = served.url
        assert "Requests need a key." in served.log.read_text()
        assert "[server] hosts in treadle.toml" in served.log.read_text()
        assert httpx.get(f"{url}/info").status_code == 401
        headers = {"x-api-key": key}
        assert httpx.get(f"{url}/info", headers=headers).status_code == 200
        [listed] = json.loads(treadle("keys", "list", "--json", *options).stdout)
        assert listed["agents"] == ["plain"]
        assert treadle("keys", "revoke", listed["id"], *options).returncode == 0
        assert httpx.get(f"{url}/info", headers=headers).status_code == 401
        assert key.split("_", 2)[2] not in served.log.read_text()


async def test_schedules_in_the_projects_files_are_fired_from_its_start(project, redis_url):
    (project / "agents" / "writer.yaml").write_text(
        'schedules:\n  morning:\n    cron: "0 8 * * *"\n    tz: Europe/Paris\n'
    )
    with serving(project, redis_url):
        async with Runtime.open(redis_url, project) as runtime:
            [found] = await runtime.schedules.list()
            assert await runtime.schedules.are_watched()
    assert (found.name, found.source) == ("writer.morning", "agents/writer.yaml")
    assert found.next is not None


def test_the_collector_leaves_alone_what_the_server_is_made_of(project, redis_url):
    (project / "collected.py").write_text(COLLECTED)
    (project / "agents" / "collected.yaml").write_text("graph: collected.py:graph\n")
    with serving(project, redis_url) as served:
        asked = {"assistant_id": "collected", "input": {}}
        seen = httpx.post(f"{served.url}/runs/wait", json=asked, timeout=60).json()
    assert seen["frozen"] > 100_000
    assert seen["every"] >= 10_000


async def test_callers_are_not_told_where_redis_was(project, short_tmp_path, caplog):
    with running_server(packaged_binary(), short_tmp_path) as redis:
        async with Runtime.open(redis.url, project) as runtime:
            transport = httpx.ASGITransport(app(runtime, requires_key=False))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                redis.kill()
                asked = {"model": "plain", "messages": [{"role": "user", "content": "Hello?"}]}
                for path, body in (("/threads", {}), ("/v1/chat/completions", asked)):
                    answer = await client.post(path, json=body)
                    assert answer.status_code == 503
                    assert "Redis cannot be reached" in answer.text
                    assert str(short_tmp_path) not in answer.text
                assert str(short_tmp_path) in caplog.text  # The operator is told.
                redis.start()
