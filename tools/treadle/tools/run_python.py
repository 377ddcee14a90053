"""The ``run_python`` tool: computes with Python that can touch nothing outside.

The code runs in pydantic-monty, an interpreter of its own in a process of its own: it has no
files, network, environment, other processes or way to load a package. Where the settings say so,
it runs in all of CPython inside namespaces of its own instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from treadle.core.calls import Effect
from treadle.core.errors import ConfigError, ToolError
from treadle.tools._bubblewrap import Bubblewrap
from treadle.tools._contract import Tool, tool
from treadle.tools._registry import ToolContext

__all__ = ["Bubblewrap", "Sandbox", "build", "make_tool"]

MAX_CODE_CHARS = 50_000
_MAX_VALUE_CHARS = 6_000


@dataclass(frozen=True)
class Sandbox:
    """Bounds of one run.

    Attributes:
        seconds: how long the code may compute.
        memory_bytes: how much it may hold.
        output_bytes: how much it may print.
        depth: how deep its calls may nest.
    """

    seconds: float = 5
    memory_bytes: int = 64_000_000
    output_bytes: int = 20_000
    depth: int = 200

    has = "It has no files, network or packages; math, re, json, datetime and the like are there."

    def check(self) -> None:
        """Make sure that the sandbox can be used.

        Raises:
            ConfigError: pydantic-monty is not installed.
        """
        _monty()

    async def run(self, code: str) -> str:
        """Run code and return what it printed, then the value of its last expression.

        Raises:
            ToolError: the code is wrong, passes a bound or asks for what it may not have.
            ConfigError: pydantic-monty is not installed.
        """
        if len(code) > MAX_CODE_CHARS:
            raise ToolError(f"The code is longer than {MAX_CODE_CHARS:,} characters.")
        monty = _monty()
        printed = monty.CollectString(max_bytes=self.output_bytes)
        limits = {
            "max_feed_duration_secs": self.seconds,
            "max_memory": self.memory_bytes,
            "max_recursion_depth": self.depth,
        }
        # A process for each run: nothing of one run can be found by the next.
        pool = monty.AsyncMonty(max_processes=1, request_timeout=self.seconds + 2)
        try:
            async with (
                pool,
                pool.checkout(limits=limits, os_policy={"sleep": "zero"}) as session,
            ):
                value = await session.feed_run(code, print_callback=printed)
                shown = "" if value is None else _shown(value)
        except monty.MontyError as error:
            said = f" It had printed:\n{printed.output}" if printed.output else ""
            raise ToolError(
                f"{_told(error)}{said}", hint="Correct the code and run it again."
            ) from None
        text = printed.output + (f"→ {shown}" if shown else "")
        return text or "(It printed nothing, and its last line has no value.)"


def build(context: ToolContext) -> Tool:
    """Make the tool.

    Raises:
        ConfigError: the sandbox that the settings name cannot be used. There is no other in its
            place.
    """
    chosen = context.settings.tools.run_python.sandbox
    sandbox: Sandbox | Bubblewrap = Bubblewrap() if chosen == "bubblewrap" else Sandbox()
    sandbox.check()
    return make_tool(sandbox)


def make_tool(sandbox: Sandbox | Bubblewrap) -> Tool:
    """Make the tool that runs code within those bounds."""

    async def run_python(code: str) -> str:
        return await sandbox.run(code)

    run_python.__doc__ = f"""Run Python code that computes something, and return what it prints.

        {sandbox.has} Each call starts anew. Use calculate for a
        single expression.

        Args:
            code: the code. Print what you want to see, or end with an expression.
    """
    return tool(effect=Effect.READ, time_limit=timedelta(seconds=sandbox.seconds + 10))(run_python)


def _monty() -> Any:
    try:
        return import_module("pydantic_monty")
    except ModuleNotFoundError:
        raise ConfigError(
            "run_python needs pydantic-monty.", hint="Install it: pip install 'treadle[python]'."
        ) from None


def _told(error: Any) -> str:
    display: Callable[[], str] | None = getattr(error, "display", None)
    text = display() if display else f"The code was stopped: {error}"
    return text if len(text) <= 2_000 else f"{text[:1_000]}\n…\n{text[-900:]}"


def _shown(value: object) -> str:
    text = repr(value)
    left = len(text) - _MAX_VALUE_CHARS
    return text if left <= 0 else f"{text[:_MAX_VALUE_CHARS]}… ({left} characters left out)"
