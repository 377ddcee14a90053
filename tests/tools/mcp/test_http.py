"""Servers at an address: the SDK's own over streamable HTTP, and one that misbehaves."""

import pytest

from tests.support.mcp_http import Hostile, sdk_server, served
from treadle.core.mcp import McpServer
from treadle.tools.mcp import Failure, McpServers, ServerError, mcp_servers


@pytest.fixture
async def app():
    return Hostile()


@pytest.fixture
async def servers(app, tmp_path, monkeypatch):
    monkeypatch.setenv("MCP_AUTH", "Bearer abc")
    async with served(app) as url:
        app.elsewhere = url.replace("127.0.0.1", "localhost")
        server = McpServer(
            url=f"{url}/mcp",
            headers_env={"authorization": "MCP_AUTH"},
            max_bytes=1_000_000,
        )
        async with mcp_servers({"web": server}, tmp_path) as opened:
            yield opened


async def call(servers: McpServers, tool: str, **arguments: object):
    listing = await servers.listing("web")
    return await servers.call("web", listing.tools[tool], arguments, "key")


async def test_the_sdks_server_is_listed_and_called(tmp_path):
    async with (
        sdk_server() as url,
        mcp_servers({"web": McpServer(url=url)}, tmp_path) as servers,
    ):
        assert "files/read" in (await servers.listing("web")).tools
        assert (await call(servers, "add", a=1, b=2)).content[0].text == "3"
        assert (await call(servers, "divide", a=1, b=0)).is_error


async def test_a_slow_tool_of_the_sdks_server_is_cut_off_and_the_next_call_works(tmp_path):
    async with (
        sdk_server() as url,
        mcp_servers({"web": McpServer(url=url, seconds=3)}, tmp_path) as servers,
    ):
        with pytest.raises(ServerError, match="no answer within") as raised:
            await call(servers, "slow", seconds=30)
        assert raised.value.failure is Failure.HUNG
        assert (await call(servers, "add", a=1, b=2)).content[0].text == "3"


async def test_the_header_is_sent_from_its_variable(servers, app):
    await call(servers, "echo")
    assert {headers["authorization"] for _, headers in app.requests} == {"Bearer abc"}


FAILURES = [
    ("flood", Failure.TOO_LARGE, "at most 1 MB are read"),
    ("stream", Failure.TOO_LARGE, "at most 1 MB are read"),
    ("gzip", Failure.DIED, "packed its answer"),
    ("redirect", Failure.REFUSED, "not followed"),
    ("error", Failure.REFUSED, "answered with HTTP 503"),
    ("html", Failure.REFUSED, "Unexpected content type: text/html"),
    ("cut", Failure.DIED, "SSE stream ended without a response"),
]


@pytest.mark.parametrize(("tool", "expected", "told"), FAILURES)
async def test_failures_are_told_apart_and_the_next_call_works(servers, tool, expected, told):
    with pytest.raises(ServerError, match=told) as raised:
        await call(servers, tool)
    assert raised.value.failure is expected
    assert (await call(servers, "echo")).content[0].text == "hi"


async def test_an_answer_that_only_drips_ends(app, tmp_path):
    async with (
        served(app) as url,
        mcp_servers({"web": McpServer(url=f"{url}/mcp", seconds=2)}, tmp_path) as servers,
    ):
        with pytest.raises(ServerError, match="no answer within 2 seconds") as raised:
            await call(servers, "drip")
        assert raised.value.failure is Failure.HUNG


async def test_a_session_that_the_server_forgot_is_opened_again(servers, app):
    await call(servers, "echo")
    app.session = "2"
    assert (await call(servers, "echo")).content[0].text == "hi"


@pytest.mark.parametrize(("status", "told"), [(401, "HTTP 401"), (500, "HTTP 500")])
async def test_a_server_that_refuses_from_the_first(servers, app, status, told):
    app.status = status
    with pytest.raises(ServerError, match=told) as raised:
        await servers.listing("web")
    assert raised.value.failure is Failure.UNREACHABLE


async def test_nobody_at_the_address(tmp_path):
    async with mcp_servers({"web": McpServer(url="http://127.0.0.1:1/mcp")}, tmp_path) as servers:
        with pytest.raises(ServerError, match="cannot be reached") as raised:
            await servers.listing("web")
    assert raised.value.failure is Failure.UNREACHABLE
