"""Servers that are programs: the SDK's own, and one that does all it should not."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.rooms import ROOT
from tests.support.waiting import eventually
from treadle.core.errors import UnknownNameError
from treadle.core.mcp import McpServer
from treadle.tools.mcp import Failure, McpServers, ServerError, mcp_servers

SUPPORT = ROOT / "tests" / "support"
SDK = McpServer(command=(sys.executable, str(SUPPORT / "mcp_sdk_server.py")))
RAW = (sys.executable, "-I", "-S", str(SUPPORT / "mcp_raw_server.py"))
BAD = McpServer(command=RAW, max_bytes=1_000_000)


@pytest.fixture
async def servers(tmp_path):
    """Give an honest server and a bad one, which works in ``tmp_path``."""
    async with mcp_servers({"sdk": SDK, "bad": BAD}, tmp_path) as opened:
        yield opened


async def call(servers: McpServers, server: str, tool: str, **arguments: object):
    listing = await servers.listing(server)
    return await servers.call(server, listing.tools[tool], arguments, "key")


async def failure(servers: McpServers, tool: str, **arguments: object) -> ServerError:
    with pytest.raises(ServerError) as raised:
        await call(servers, "bad", tool, **arguments)
    return raised.value


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def test_the_tools_of_the_sdks_server_are_listed_and_called(servers):
    listing = await servers.listing("sdk")
    assert set(listing.tools) == {"add", "divide", "files/read", "slow"}
    assert listing.tools["add"].description == "Add two numbers."
    assert set(listing.tools["add"].schema["properties"]) == {"a", "b"}
    result = await call(servers, "sdk", "add", a=1, b=2)
    assert result.content[0].text == "3"


async def test_a_tool_that_fails_says_so(servers):
    assert (await call(servers, "sdk", "divide", a=1, b=0)).is_error


async def test_one_session_serves_many_calls_at_once(servers, tmp_path):
    results = await asyncio.gather(
        *(call(servers, "bad", "echo", text=str(number)) for number in range(50))
    )
    assert [result.content[0].text for result in results] == [str(n) for n in range(50)]
    assert len(lines(tmp_path / "starts")) == 1


async def test_calls_from_other_threads_use_the_same_session(servers, tmp_path):
    await servers.listing("bad")
    work = [
        asyncio.to_thread(lambda: asyncio.run(call(servers, "bad", "echo", text="x")))
        for _ in range(3)
    ]
    assert [result.content[0].text for result in await asyncio.gather(*work)] == ["x"] * 3
    assert len(lines(tmp_path / "starts")) == 1


async def test_a_server_that_dies_in_a_call_is_told_and_started_again(servers, tmp_path):
    error = await failure(servers, "die")
    assert error.failure is Failure.DIED
    assert str(error) == "bad ended with exit code 3 (out of cheese)."
    assert (await call(servers, "bad", "echo", text="again")).content[0].text == "again"
    assert len(lines(tmp_path / "starts")) == 2
    assert len(lines(tmp_path / "done")) == 1


async def test_a_server_that_died_between_calls_is_started_again(servers, tmp_path):
    await servers.listing("bad")
    os.kill(int(lines(tmp_path / "starts")[0]), 9)

    async def answers() -> bool:
        with suppress(ServerError):  # The death may be noticed only in the call.
            return (await call(servers, "bad", "act")).content[0].text == "act"
        return False

    await eventually(answers)
    assert len(lines(tmp_path / "done")) == 1


async def test_a_call_without_an_answer_ends(tmp_path):
    hasty = McpServer(command=RAW, seconds=3)
    async with mcp_servers({"bad": hasty}, tmp_path) as servers:
        error = await failure(servers, "hang")
        assert error.failure is Failure.HUNG
        assert "no answer within 3 seconds" in str(error)
        assert await call(servers, "bad", "echo")
    assert len(lines(tmp_path / "starts")) == 1  # It answered when it was asked for its tools.


async def test_an_answer_that_only_drips_ends(servers, tmp_path):
    slow = McpServer(command=RAW, seconds=3, start_seconds=5)
    async with mcp_servers({"bad": slow}, tmp_path) as opened:
        assert (await failure(opened, "drip")).failure is Failure.HUNG
        # It is still busy with dripping, so another is started.
        assert await call(opened, "bad", "echo")
    assert len(lines(tmp_path / "starts")) == 2


async def test_an_answer_of_100_megabytes_is_not_read(servers):
    error = await failure(servers, "flood")
    assert error.failure is Failure.TOO_LARGE
    assert "at most 1 MB are read" in str(error)
    assert await call(servers, "bad", "echo")


async def test_a_refusal_is_told_from_a_failure_and_from_nonsense(servers):
    refused = await failure(servers, "refuse")
    assert (refused.failure, refused.message) == (Failure.REFUSED, "bad refuses: Not before noon.")
    assert (await failure(servers, "nonsense")).failure is Failure.FAILED
    assert (await call(servers, "bad", "fail")).is_error


async def test_lines_that_are_no_messages_are_passed_over(servers):
    assert (await call(servers, "bad", "noise")).content[0].text == "noise"


async def test_the_servers_patterns_are_not_run_on_its_answers(servers):
    # The raw server declares '^(a+)+$' of a text that would take for ever.
    async with asyncio.timeout(5):
        assert (await call(servers, "bad", "echo")).structured_content == {"a": "a" * 40 + "!"}


LISTINGS = [
    ("pages", Failure.TOO_LARGE, "or over 50 pages"),
    ("thousands", Failure.TOO_LARGE, "over 1,000 tools"),
    ("deeper", Failure.DIED, "sent a message that cannot be read"),
    ("silent", Failure.HUNG, "gave no answer within 1 seconds"),
    ("dies", Failure.UNREACHABLE, "ended with exit code 4"),
    ("mute", Failure.UNREACHABLE, "did not start within 1 seconds"),
]


@pytest.mark.parametrize(("mode", "expected", "told"), LISTINGS)
async def test_a_server_that_cannot_be_used_says_why(tmp_path, mode, expected, told):
    (tmp_path / "mode").write_text(mode)
    server = McpServer(command=RAW, start_seconds=1 if "within 1" in told else 30)
    async with mcp_servers({"bad": server}, tmp_path) as opened:
        with pytest.raises(ServerError, match=told) as raised:
            await opened.listing("bad")
    assert raised.value.failure is expected
    # Nothing of it lives on.
    for pid in lines(tmp_path / "starts"):
        await eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize(
    ("mode", "kept", "reason"),
    [
        ("huge", {"act"}, "1,000,000 characters, over 8,000"),
        ("deep", set(), "nested deeper than 32 levels"),
        ("twice", {"echo"}, "listed twice"),
    ],
)
async def test_tools_that_cannot_be_shown_are_left_out(tmp_path, mode, kept, reason):
    (tmp_path / "mode").write_text(mode)
    async with mcp_servers({"bad": McpServer(command=RAW)}, tmp_path) as opened:
        listing = await opened.listing("bad")
    assert set(listing.tools) == kept
    assert reason in listing.left_out["echo"]


async def test_a_program_that_is_not_there(tmp_path):
    async with mcp_servers({"bad": McpServer(command=("no-such-program",))}, tmp_path) as opened:
        with pytest.raises(ServerError, match="there is no 'no-such-program'"):
            await opened.listing("bad")


async def test_a_server_is_given_the_variables_it_is_named_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.setenv("SECRET", "2")
    script = "import os, pathlib; pathlib.Path('env').write_text(' '.join(sorted(os.environ)))"
    server = McpServer(command=(sys.executable, "-c", script), env=("GIVEN",))
    async with mcp_servers({"bad": server}, tmp_path) as opened:
        with pytest.raises(ServerError):
            await opened.listing("bad")
    given = (tmp_path / "env").read_text().split()
    assert "GIVEN" in given
    assert "SECRET" not in given
    missing = McpServer(command=RAW, env=("NOT_SET",))
    async with mcp_servers({"bad": missing}, tmp_path) as opened:
        with pytest.raises(ServerError, match="variable NOT_SET, which is not set"):
            await opened.listing("bad")


async def test_a_server_nobody_configured(servers):
    with pytest.raises(UnknownNameError, match=r"No MCP server is named 'skd'.*'sdk'"):
        await servers.listing("skd")
