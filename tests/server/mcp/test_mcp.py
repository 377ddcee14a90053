"""The Model Context Protocol, by the official client against a real server process."""

import json
from contextlib import asynccontextmanager
from importlib.metadata import version

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.support.serving import serving
from treadle.memory import connect
from treadle.server.security import ApiKeys

SECRET_VARIABLE = "TREADLE_KEYS_SECRET"
SECRET = "a secret of at least thirty-two characters"
WORDLESS = """
from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    ticks: int


graph = StateGraph(State)
graph.add_node("tick", lambda state: {"ticks": 1})
graph.add_edge(START, "tick")
"""


@pytest.fixture(scope="module")
def server(redis_6_2, tmp_path_factory):
    project = tmp_path_factory.mktemp("project")
    (project / "agents").mkdir()
    (project / "agents" / "plain.yaml").write_text("description: It helps.\nprompt: You help.\n")
    (project / "agents" / "broken.yaml").write_text("tools: [nothing.py:at_all]\n")
    (project / "agents" / "clock.yaml").write_text("graph: clock.py:graph\n")
    (project / "clock.py").write_text(WORDLESS)
    (project / "treadle.toml").write_text("[server]\nrequire_key = true\n")
    with serving(project, redis_6_2.url, environment={SECRET_VARIABLE: SECRET}) as served:
        yield served, redis_6_2.url


@pytest.fixture
async def key(server):
    async with connect(server[1]) as redis:

        async def made(name, **about):
            new = await ApiKeys(redis, SECRET.encode()).create(name, tenant="main", **about)
            return new.key

        yield made


@asynccontextmanager
async def session(server, key):
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{server[0].url}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


async def test_no_stream_of_what_nobody_asked_for_is_held_open(server, key):
    headers = {"x-api-key": await key("idle"), "accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=server[0].url, headers=headers) as http:
        for method in ("GET", "DELETE"):
            refused = await http.request(method, "/mcp")
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
            assert "asked with POST" in refused.json()["detail"]


async def test_agents_are_tools_and_threads_are_resources_of_whoever_asks(server, key):
    ann = await key("ann", subject="ann")
    ben = await key("ben", subject="ben", agents=("plain",))
    async with session(server, ann) as opened:
        assert opened.server_info.version == version("treadle")
        tools = {tool.name: tool for tool in (await opened.list_tools()).tools}
        assert {"plain", "assistant"} <= set(tools)
        assert "broken" not in tools
        assert tools["plain"].description == "It helps."
        asked = {"question": "The word is heddle. What is the word?"}
        answer = await opened.call_tool("plain", asked)
        assert not answer.is_error
        assert answer.content[0].text
        thread = answer.structured_content["thread_id"]
        [resource] = (await opened.list_resources()).resources
        assert str(resource.uri).endswith(thread)
        read = await opened.read_resource(resource.uri)
        assert "heddle" in read.contents[0].text
        again = await opened.call_tool("plain", {"question": "Thanks!", "thread_id": thread})
        assert again.structured_content["thread_id"] == thread
    async with session(server, ben) as opened:
        assert [tool.name for tool in (await opened.list_tools()).tools] == ["plain"]
        assert (await opened.list_resources()).resources == []
        with pytest.raises(MCPError) as refused:
            await opened.read_resource(resource.uri)
        assert "heddle" not in str(refused.value)
        taken = await opened.call_tool("plain", {"question": "Go on", "thread_id": thread})
        assert taken.is_error
        assert "heddle" not in json.dumps(taken.model_dump(mode="json"))
        assert (await opened.call_tool("assistant", {"question": "Hello?"})).is_error


async def test_what_does_not_fit_is_told(server, key):
    async with session(server, await key("reader")) as opened:
        for name, arguments in (
            ("plain", {}),
            ("plain", {"question": "  "}),
            ("plain", {"question": 7}),
            ("none", {"question": "Hello?"}),
        ):
            assert (await opened.call_tool(name, arguments)).is_error


def test_without_a_key_nobody_is_let_in(server):
    answer = httpx.post(f"{server[0].url}/mcp", json={"jsonrpc": "2.0", "method": "ping", "id": 1})
    assert answer.status_code == 401


async def test_an_agent_to_which_nothing_can_be_said_is_no_tool(server, key):
    async with session(server, await key("asker")) as client:
        assert "clock" not in {one.name for one in (await client.list_tools()).tools}
        told = await client.call_tool("clock", {"question": "Hello!"})
        assert told.is_error
        assert "No agent is named 'clock'" in told.content[0].text
        assert "no 'messages'" in told.content[0].text
