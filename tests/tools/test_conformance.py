"""The conformance test for tools: shipped ones pass it, and each kind of bad tool is found out."""

import asyncio
import time
import traceback
from datetime import timedelta

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool as langchain_tool

from treadle.core.settings import Settings
from treadle.tools import Effect, Tool, ToolContext, ToolError, build_tool, tool
from treadle.tools.testing import check_tool


@tool(effect=Effect.READ)
async def look_up(topic: str, most: int = 3) -> str:
    """Look a topic up.

    Args:
        topic: what to look up.
        most: how many lines.
    """
    if not topic:
        raise ToolError("There is nothing to look up.")
    return f"{topic} " * most


async def test_a_good_tool_conforms():
    assert await check_tool(look_up, {"topic": "looms"}, failing={"topic": ""}) == []


SHIPPED = [
    ("calculate", {"expression": "2 + 2"}, {"expression": "2 +"}),
    ("current_time", {}, None),
    ("list_files", {}, {"path": "nowhere"}),
    ("read_file", {"path": "a.txt"}, {"path": "b.txt"}),
    ("write_file", {"path": "c.txt", "text": "x"}, {"path": "../c.txt", "text": "x"}),
    ("run_python", {"code": "print(2)"}, {"code": "1 +"}),
]


@pytest.mark.parametrize(("name", "good", "failing"), SHIPPED, ids=[one[0] for one in SHIPPED])
async def test_shipped_tools_conform(tmp_path, name, good, failing):
    (tmp_path / "a.txt").write_text("a")
    settings = Settings(tools={"files": {"root": tmp_path}})
    made = build_tool(name, ToolContext(tmp_path, settings, redis=None))
    assert await check_tool(made, good, failing=failing) == []


async def test_a_tool_that_declares_nothing_is_told_how():
    @langchain_tool
    def foreign(topic: str) -> str:
        """Look."""
        return topic

    (problem,) = await check_tool(foreign, {"topic": "x"})
    assert "declares no effect" in problem


async def test_a_tool_that_tells_the_model_too_little():
    @tool(name="look up!", effect=Effect.READ)
    def made(topic) -> str:  # type: ignore[no-untyped-def]
        """Look."""
        return str(topic)

    problems = await check_tool(made, {"topic": "x"})
    assert any("'look up!' is none that providers take" in one for one in problems)
    assert any("'topic' is not described" in one for one in problems)
    assert any("'topic' has no type" in one for one in problems)


async def test_a_tool_that_blocks_the_event_loop():
    @tool(effect=Effect.READ)
    async def block() -> str:
        """Block."""
        time.sleep(1.2)  # noqa: ASYNC251 - the fault that is looked for
        return "done"

    problems = await check_tool(block, {})
    assert any("keeps the event loop from other work" in one for one in problems)


async def test_a_tool_that_cannot_be_stopped(monkeypatch):
    monkeypatch.setattr("treadle.tools.testing.GRACE", timedelta(milliseconds=200))
    leave = asyncio.Event()

    @tool(effect=Effect.READ, time_limit=timedelta(milliseconds=100))
    async def stubborn() -> str:
        """Go on."""
        while not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue
        return "done"

    checking = asyncio.ensure_future(check_tool(stubborn, {}))
    problems = await checking
    leave.set()
    assert any("does not end within its 0.1 s" in one for one in problems)
    assert any("that is stopped goes on" in one for one in problems)


async def test_a_call_that_should_succeed_or_fail_and_does_not():
    problems = await check_tool(look_up, {"topic": ""}, failing={"topic": "looms"})
    assert any("should succeed fails: look_up: There is nothing" in one for one in problems)
    assert any("should fail succeeds" in one for one in problems)


async def test_a_failure_that_shows_a_traceback():
    @tool(effect=Effect.READ)
    def fail() -> str:
        """Fail."""
        try:
            raise OSError("no loom")
        except OSError:
            raise ValueError(traceback.format_exc()) from None

    problems = await check_tool(fail, {})
    assert any("shown a traceback of" in one for one in problems)


async def test_a_tool_that_goes_round_the_boundary():
    class Round(Tool):
        async def _arun(self, *args, config: RunnableConfig, run_manager=None, **kwargs):
            return "x" * 500, {"sources": []}

    fields = {name: getattr(look_up, name) for name in Tool.model_fields}
    problems = await check_tool(Round(**fields), {"topic": "looms"})
    assert any("does not go through the boundary" in one for one in problems)
    assert any("returns 500 characters where 40 are the most" in one for one in problems)
