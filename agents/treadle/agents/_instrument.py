"""Sending the calls of graphs and tools that were not written for Treadle through the boundary.

LangChain's base classes are changed, once per process and only when such a graph or tool is
loaded: a chat model is made one whose calls go through the boundary when it is first used inside
one, and a tool's runs are calls. Outside a boundary everything works as LangChain made it.
"""

import functools
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools import base as tools_base
from langchain_core.utils.pydantic import get_fields
from langgraph.pregel import _retry

from treadle.agents.models import send_through_boundary
from treadle.core import boundary
from treadle.core.boundary import Execution
from treadle.core.calls import CallKind, CallSpec, Effect
from treadle.core.errors import BoundaryError, ConfigError, ToolError
from treadle.core.usage import TOOL_CALL, Usage
from treadle.tools import Tool

T = TypeVar("T")

EFFECT = "treadle_effect"
"""The key in a LangChain tool's ``metadata`` that declares its effect: an `Effect` value."""

_MODEL_DOORS = (
    "_generate_with_cache", "_agenerate_with_cache", "stream", "astream",
    "_iter_v2_events", "_aiter_v2_events",
)  # fmt: skip
_KEY = "idempotency_key"
_lock = Lock()
_is_done = False


def instrument() -> None:
    """Let the model and tool calls of foreign graphs and tools go through the boundary.

    Works for the whole process and for objects that exist already; further calls change nothing.
    """
    global _is_done  # noqa: PLW0603 - what it says of the process's classes is global too
    with _lock:
        if _is_done:
            return
        for name in _MODEL_DOORS:
            setattr(BaseChatModel, name, _model_door(getattr(BaseChatModel, name)))
        BaseTool.run = _tool_run(BaseTool.run)  # type: ignore[method-assign]
        BaseTool.arun = _tool_arun(BaseTool.arun)  # type: ignore[method-assign]
        name = "coro_with_context"
        setattr(tools_base, name, _contained(getattr(tools_base, name)))
        name = "_reset_interrupt_counter"
        setattr(_retry, name, _with_its_subgraphs(getattr(_retry, name)))
        _is_done = True


def _with_its_subgraphs(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let a task that is tried again go on with the subgraphs it began.

    LangGraph tells them to resume, but goes on counting: the second try's would be new ones, which
    know nothing of what the first try's did.
    """

    @functools.wraps(original)
    def reset(config: RunnableConfig) -> RunnableConfig:
        config = original(config)
        configurable = config["configurable"]
        if pad := configurable.get("__pregel_scratchpad"):
            anew = replace(pad, subgraph_counter=itertools.count().__next__)
            configurable = {**configurable, "__pregel_scratchpad": anew}
        return {**config, "configurable": configurable}

    return reset


def _model_door(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def door(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        if boundary.is_open():
            send_through_boundary(self)
        return original(self, *args, **kwargs)

    return door


def _tool_run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def run(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        call_id = kwargs.get("tool_call_id")
        if not _is_a_call(self, tool_input, call_id):
            return original(self, tool_input, *args, **kwargs)

        def execute(execution: Execution) -> tuple[Any, Any]:
            sent = _on_terms(self, tool_input, execution)
            return _as_value(original(self, sent, *args, **kwargs))

        try:
            value = boundary.call(_spec(self, tool_input, call_id), execute, _usage)
        except ToolError as error:
            return _refused(self, error, call_id)
        return _as_result(self, value, call_id)

    return run


def _tool_arun(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def arun(self: BaseTool, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        call_id = kwargs.get("tool_call_id")
        if not _is_a_call(self, tool_input, call_id):
            return await original(self, tool_input, *args, **kwargs)

        async def execute(execution: Execution) -> tuple[Any, Any]:
            sent = _on_terms(self, tool_input, execution)
            return _as_value(await original(self, sent, *args, **kwargs))

        try:
            value = await boundary.acall(_spec(self, tool_input, call_id), execute, _usage)
        except ToolError as error:
            return _refused(self, error, call_id)
        return _as_result(self, value, call_id)

    return arun


def _is_a_call(tool: BaseTool, tool_input: Any, call_id: str | None) -> bool:
    """Tell whether the tool is about to be called here: not one of ours, with fitting arguments."""
    if not boundary.is_open() or isinstance(tool, Tool):
        return False
    if effect_of(tool) is Effect.KEYED and isinstance(tool_input, Mapping):
        tool_input = {**tool_input, _KEY: ""}
    try:
        tool._to_args_and_kwargs(tool_input, call_id)
    except Exception:
        return False  # LangChain reports it in its own way.
    return True


def _contained(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    def run(coro: Awaitable[Any], *args: Any, **kwargs: Any) -> Awaitable[Any]:
        return original(_contain(coro) if boundary.is_open() else coro, *args, **kwargs)

    return run


async def _contain(running: Awaitable[T]) -> T:
    """Keep ``SystemExit`` from the event loop, which ends when a task of it raises that.

    ``GeneratorExit`` would close whoever waits for the task.
    """
    try:
        return await running
    except (SystemExit, GeneratorExit) as error:
        raise BoundaryError(f"A tool raised {type(error).__name__}: {error}") from error


def _spec(tool: BaseTool, tool_input: Any, call_id: str | None) -> CallSpec:
    arguments = _arguments(tool, tool_input)
    return CallSpec(CallKind.TOOL, tool.name, effect_of(tool), arguments, key=call_id or "")


def effect_of(tool: BaseTool) -> Effect:
    """Return the effect a LangChain tool declares in its metadata; `Effect.ONCE` without one.

    Raises:
        ConfigError: it declares something else, or is keyed and takes no ``idempotency_key``.
    """
    declared = (tool.metadata or {}).get(EFFECT, Effect.ONCE)
    if declared not in list(Effect):
        raise ConfigError(
            f"the tool {tool.name!r} declares {EFFECT} {declared!r}.",
            hint=f"It is one of {', '.join(Effect)}.",
        )
    effect = Effect(declared)
    if effect is Effect.KEYED and _KEY not in get_fields(tool.get_input_schema()):
        raise ConfigError(
            f"the tool {tool.name!r} is 'keyed' and takes no {_KEY!r}.",
            hint=f"Give it the argument '{_KEY}: Annotated[str, InjectedToolArg]'.",
        )
    return effect


def _arguments(tool: BaseTool, tool_input: Any) -> Mapping[str, Any]:
    """Return what the model or the node chose, without what LangGraph injects."""
    if not isinstance(tool_input, Mapping):
        return {"input": tool_input}
    return tool._filter_injected_args(dict(tool_input))


def _on_terms(tool: BaseTool, tool_input: Any, execution: Execution) -> Any:
    """Return the input to use: with the arguments the gate gave, and the key of a keyed tool."""
    changed = execution.permit.arguments
    if not isinstance(tool_input, Mapping):
        return tool_input if changed is None else changed.get("input", dict(changed))
    if changed is not None:
        own = _arguments(tool, tool_input)
        injected = {name: value for name, value in tool_input.items() if name not in own}
        tool_input = {**injected, **changed}
    if effect_of(tool) is Effect.KEYED:
        tool_input = {**tool_input, _KEY: execution.idempotency_key}
    return tool_input


def _as_value(result: Any) -> tuple[Any, Any]:
    """Return a result as a call's value: ``(content, artifact)``.

    A ``Command`` or a message about a failure is a content of its own.
    """
    if type(result) is ToolMessage and result.status == "success":
        return result.content, result.artifact
    return result, None


def _as_result(tool: BaseTool, value: Any, call_id: str | None) -> Any:
    content, artifact = value if isinstance(value, tuple) else (value, None)
    first = content[0] if isinstance(content, list) and content else content
    if call_id is None or isinstance(first, ToolOutputMixin):
        return content
    return ToolMessage(content, artifact=artifact, tool_call_id=call_id, name=tool.name)


def _refused(tool: BaseTool, error: ToolError, call_id: str | None) -> ToolMessage:
    """Return what the model is told when a gate lets a tool not be called."""
    if call_id is None:
        raise error
    return ToolMessage(str(error), tool_call_id=call_id, name=tool.name, status="error")


def _usage(_: object) -> Usage:
    return TOOL_CALL
