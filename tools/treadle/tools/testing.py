"""A conformance test that any tool can be run through.

In a test of your own::

    async def test_weather_conforms():
        assert await check_tool(weather, {"city": "Paris"}, failing={"city": ""}) == []

It calls the tool several times, for real: give it arguments, or a far end, that it may be called
with. What is checked: that the model is told what the tool takes; that a call goes through the
boundary once, with the declared effect; that the result and the time it takes are bounded; that it
blocks no other work and can be stopped; and that whatever goes wrong is a message to the model.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from treadle.core.boundary import boundary
from treadle.core.calls import Call, CallKind, Outcome, Purpose
from treadle.tools._contract import Tool

GRACE = timedelta(seconds=5)
"""How much longer than it may a call can take before it counts as one that never ends."""

BLOCKED = timedelta(seconds=1)
"""How long a call may keep the event loop from other work."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FRAME = re.compile(r'File "([^"]+)", line \d+')
_NOTE_CHARS = 200
_SHORT_CHARS = 40


async def check_tool(
    tool: BaseTool, arguments: Mapping[str, Any], *, failing: Mapping[str, Any] | None = None
) -> list[str]:
    """Return what is wrong with a tool, a sentence each; nothing when it conforms.

    Args:
        tool: made by ``@tool`` of `treadle.tools`.
        arguments: those of a call that succeeds.
        failing: those of a call that fits what the tool takes and fails.
    """
    if not isinstance(tool, Tool):
        kind = type(tool).__name__
        missing = "it declares no effect, no time limit and no size limit"
        return [f"{tool.name} is a {kind}: {missing}. Make it with @tool of treadle.tools."]
    check = _Check(tool)
    check.description()
    await check.good(arguments)
    await check.wrong(arguments)
    await check.short(arguments)
    await check.stopped(arguments)
    if failing is not None:
        await check.failing(failing)
    return check.problems


class _Check:
    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._schema = convert_to_openai_tool(tool)["function"]
        self.problems: list[str] = []

    def description(self) -> None:
        """Check what the model is told of the tool."""
        name = self._tool.name
        if not _NAME.fullmatch(name):
            self.note(f"its name {name!r} is none that providers take: {_NAME.pattern}.")
        if not str(self._schema.get("description", "")).strip():
            self.note("it has no description: say in its docstring what it does.")
        try:
            json.dumps(self._schema, allow_nan=False)
        except ValueError as error:
            self.note(f"what it takes cannot be written as JSON: {error}.")
        for argument, schema in self._properties.items():
            if not schema.keys() & {"type", "anyOf", "oneOf", "allOf", "enum", "$ref", "const"}:
                self.note(f"its argument {argument!r} has no type: annotate it.")
            if not schema.get("description"):
                self.note(f"its argument {argument!r} is not described: add it to 'Args:'.")

    async def good(self, arguments: Mapping[str, Any]) -> None:
        """Check a call that succeeds."""
        gate = _Calls()
        async with _watched(self, "a call"):
            with boundary(gate, thread_id="conformance", run_id="conformance"):
                message = await self._call(self._tool, arguments)
        if message is None:
            return
        if message.status == "error":
            self.note(f"the call that should succeed fails: {message.text}")
        if [(call.kind, call.effect) for call in gate.calls[:1]] != [
            (CallKind.TOOL, self._tool.effect)
        ]:
            self.note("a call of it does not go through the boundary once, with its effect.")
        self._bounded(message, self._tool.max_chars)
        short = self._tool.model_copy(update={"max_chars": _SHORT_CHARS})
        if (message := await self._call(short, arguments)) is not None:
            self._bounded(message, _SHORT_CHARS)

    async def wrong(self, arguments: Mapping[str, Any]) -> None:
        """Check calls whose arguments do not fit."""
        wrong = [
            {name: value for name, value in arguments.items() if name != missing}
            for missing in self._schema.get("parameters", {}).get("required", ())
        ]
        for name, schema in self._properties.items():
            if schema.get("type") in {"integer", "number", "boolean", "object", "array"}:
                wrong.append({**arguments, name: "no such thing"})
        for given in wrong:
            message = await self._call(self._tool, given)
            if message is not None and message.status != "error":
                self.note(f"it takes the arguments {given!r}, which do not fit.")

    async def short(self, arguments: Mapping[str, Any]) -> None:
        """Check that a call ends when its time is up."""
        hurried = self._tool.model_copy(update={"time_limit": timedelta(milliseconds=1)})
        await self._call(hurried, arguments)

    async def stopped(self, arguments: Mapping[str, Any]) -> None:
        """Check that a call can be stopped."""
        calling = asyncio.ensure_future(self._tool.ainvoke(self._made(self._tool, arguments)))
        for _ in range(3):
            await asyncio.sleep(0)
        calling.cancel()
        done, _ = await asyncio.wait([calling], timeout=GRACE.total_seconds())
        if not done:
            self.note("a call of it that is stopped goes on.")

    async def failing(self, arguments: Mapping[str, Any]) -> None:
        """Check a call that fails."""
        message = await self._call(self._tool, arguments)
        if message is not None and message.status != "error":
            self.note("the call that should fail succeeds.")

    @property
    def _properties(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self._schema.get("parameters", {}).get(
            "properties", {}
        )
        return found

    async def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> ToolMessage | None:
        """Call the tool; note it when that is no message to the model in time."""
        limit = (tool.time_limit + GRACE).total_seconds()
        calling = asyncio.ensure_future(tool.ainvoke(self._made(tool, arguments)))
        done, _ = await asyncio.wait([calling], timeout=limit)
        if not done:
            calling.cancel()
            self.note(
                f"a call of it does not end within its {tool.time_limit.total_seconds():g} s."
            )
            return None
        error = asyncio.CancelledError() if calling.cancelled() else calling.exception()
        if error is not None:
            self.note(f"a call raises {type(error).__name__}: {error}")
            return None
        message = calling.result()
        if not isinstance(message, ToolMessage):
            self.note(f"a call returns a {type(message).__name__}.")
            return None
        if _shows_frames(message.text):
            self.note("the model is shown a traceback of this machine's files.")
        return message

    def _made(self, tool: Tool, arguments: Mapping[str, Any]) -> ToolCall:
        return ToolCall(type="tool_call", name=tool.name, args=dict(arguments), id="conformance")

    def _bounded(self, message: ToolMessage, most: int) -> None:
        if len(message.text) > most + _NOTE_CHARS:
            self.note(f"it returns {len(message.text)} characters where {most} are the most.")

    def note(self, problem: str) -> None:
        """Keep a problem, once."""
        sentence = f"{self._tool.name}: {problem}"
        if sentence not in self.problems:
            self.problems.append(sentence)


def _shows_frames(text: str) -> bool:
    """Tell whether a text quotes files of this machine as a traceback does."""
    return any(Path(path).is_file() for path in _FRAME.findall(text))


class _Calls:
    """A gate that keeps the calls that are made."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def before(self, call: Call) -> None:
        self.calls.append(call)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Keep nothing of it."""


@asynccontextmanager
async def _watched(check: _Check, what: str) -> AsyncIterator[None]:
    """Note it when what runs inside keeps the event loop from other work."""
    loop = asyncio.get_running_loop()
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)

    beating = asyncio.ensure_future(beat())
    await asyncio.sleep(0)
    try:
        yield
        await asyncio.sleep(0.02)  # so that the last beat is counted
    finally:
        beating.cancel()
    if longest > BLOCKED.total_seconds():
        check.note(
            f"{what} keeps the event loop from other work for {longest:.1f} s: await, or "
            "make it a plain function, which runs in a thread."
        )
