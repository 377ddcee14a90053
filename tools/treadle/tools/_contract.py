"""What a tool is: a function that declares its effect, its time limit and its size limit."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, overload

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError

from treadle.core import boundary
from treadle.core.calls import MAYBE_DONE, CallKind, CallSpec, Effect
from treadle.core.characters import whole
from treadle.core.errors import ToolError, TreadleError
from treadle.core.functions import as_sentence, call_function, in_words
from treadle.core.sources import Passage, Source
from treadle.core.usage import TOOL_CALL
from treadle.tools._plain import as_text

Artifact = dict[str, Any]
"""What is kept beside a tool's text: ``{"sources": [Source.to_dict(), ...]}``, and under ``found``
what an agent's tools returned to it, where the text is the agent's."""


_tool_call_id: ContextVar[str | None] = ContextVar("treadle_tool_call_id", default=None)


@contextmanager
def _named(call_id: str | None) -> Iterator[None]:
    """Name the call made inside by the id that the model gave it."""
    token = _tool_call_id.set(call_id)
    try:
        yield
    finally:
        _tool_call_id.reset(token)


@dataclass(frozen=True, slots=True)
class Found:
    """What a tool returned to an agent that answers as a tool itself.

    Attributes:
        call_id: the call.
        tool: the tool's name.
        text: what the agent was shown.
        sources: where it comes from.
    """

    call_id: str
    tool: str
    text: str
    sources: Sequence[Source] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        sources = [source.to_dict() for source in self.sources]
        return {**asdict(self), "sources": sources}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found.

    Attributes:
        text: what to tell the model first; may be empty.
        passages: texts with their sources, best first. Each is shown with its source's label,
            which the model cites.
        found: what the text rests on, where it is an agent's answer: by itself it proves nothing.
    """

    text: str = ""
    passages: Sequence[Passage] = ()
    found: Sequence[Found] = ()


class Tool(StructuredTool):
    """A LangChain tool whose calls go through the boundary.

    A failure becomes a message to the model, never a traceback; a result over ``max_chars`` is
    cut, and says so.

    Attributes:
        effect: what repeating a call would do.
        time_limit: how long one call may take.
        max_chars: how long the text handed to the model may be.
    """

    effect: Effect = Effect.ONCE
    time_limit: timedelta = timedelta(seconds=30)
    max_chars: int = 8_000

    def run(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the tool; see LangChain's ``BaseTool.run``."""
        with _named(kwargs.get("tool_call_id")):
            return super().run(tool_input, *args, **kwargs)

    async def arun(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the tool; see LangChain's ``BaseTool.arun``."""
        with _named(kwargs.get("tool_call_id")):
            return await super().arun(tool_input, *args, **kwargs)

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Keep the arguments together: one that is called ``config`` is not LangChain's."""
        _, arguments = super()._to_args_and_kwargs(tool_input, tool_call_id)
        return (), {"arguments": arguments}

    async def _arun(
        self,
        *args: Any,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
        **kwargs: Any,
    ) -> tuple[str, Artifact]:
        arguments = kwargs["arguments"]
        return await boundary.acall(
            self._spec(arguments), lambda execution: self._execute(execution, arguments), _usage
        )

    def _run(
        self,
        *args: Any,
        config: RunnableConfig,
        run_manager: CallbackManagerForToolRun | None = None,
        **kwargs: Any,
    ) -> tuple[str, Artifact]:
        arguments = kwargs["arguments"]
        return boundary.call(
            self._spec(arguments),
            lambda execution: asyncio.run(self._execute(execution, arguments)),
            _usage,
        )

    def _spec(self, arguments: dict[str, Any]) -> CallSpec:
        return CallSpec(
            CallKind.TOOL, self.name, self.effect, arguments, key=_tool_call_id.get() or ""
        )

    async def _execute(
        self, execution: boundary.Execution, arguments: dict[str, Any]
    ) -> tuple[str, Artifact]:
        assert self.coroutine is not None  # noqa: S101 - the decorator always sets it
        if execution.permit.arguments is not None:
            arguments = self._parse_input(dict(execution.permit.arguments), None)  # type: ignore[assignment]
        if self.effect is Effect.KEYED:
            arguments = {**arguments, "idempotency_key": execution.idempotency_key}
        seconds = self.time_limit.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                result = await call_function(self.coroutine, **arguments)
        except TreadleError as error:
            if self.effect is Effect.CALLS:
                raise  # It is a failure of the run, whichever agent makes the call.
            raise self._told(error) from error
        except GraphBubbleUp:
            raise  # It waits for a person, and has not failed.
        except Exception as error:
            if limit.expired():
                raise ToolError(
                    f"{self.name} gave no answer within {seconds:g} seconds.",
                    hint=self._advice("Try once more with a narrower request"),
                ) from None
            if self.effect is Effect.CALLS:
                raise
            raise ToolError(
                f"{self.name} failed: {as_sentence(_cut(in_words(error), self.max_chars))}",
                hint=self._advice("Try other arguments"),
            ) from error
        return self._rendered(result)

    def _rendered(self, result: object) -> tuple[str, Artifact]:
        """Return what the model is shown of a result.

        Raises:
            ToolError: it is nothing that can be shown.
        """
        try:
            return _render(result, self.max_chars)
        except Exception as error:
            problem = as_sentence(_cut(in_words(error), self.max_chars))
            raise ToolError(
                f"{self.name} was called, and what it returned cannot be shown: {problem}",
                hint="" if self.effect is Effect.READ else "Do not call it again for the same.",
            ) from error

    def _told(self, error: TreadleError) -> ToolError:
        """Return an error of Treadle's as the model is told it; a tool's own words are enough."""
        hint = error.hint
        if not isinstance(error, ToolError) and self.effect is not Effect.READ:
            hint = f"{hint} {MAYBE_DONE}".lstrip()
        return ToolError(f"{self.name}: {_cut(whole(error.message), self.max_chars)}", hint=hint)

    def _advice(self, other: str) -> str:
        """Return what to do about a call that broke off in the middle.

        The model's next call is another one, with another key: only what reads may be repeated.
        """
        return f"{other}, or go on without it." if self.effect is Effect.READ else MAYBE_DONE


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    effect: Effect = Effect.ONCE,
    time_limit: timedelta = ...,
    max_chars: int = ...,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effect: Effect = Effect.ONCE,
    time_limit: timedelta = timedelta(seconds=30),
    max_chars: int = 8_000,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function.

    The docstring (Google style) tells the model what the tool does and what its arguments mean;
    the annotations tell it their types. The function returns text, a `ToolResult`, or data, which
    becomes JSON. A plain function runs in a thread of its own.

    Args:
        function: the function, when used without parentheses.
        name: the tool's name; the function's when not given.
        effect: what repeating a call would do. The default is the safe one: `Effect.ONCE`.
            An `Effect.KEYED` function also takes ``idempotency_key: str``, which the
            model does not see.
        time_limit: how long one call may take.
        max_chars: how long the text handed to the model may be.

    Raises:
        ValueError: when the docstring names an argument the function does not have, or a keyed
            function does not take ``idempotency_key``.
    """
    if function is None:
        return lambda decorated: tool_of(
            decorated, name=name, effect=effect, time_limit=time_limit, max_chars=max_chars
        )
    return tool_of(function, name=name, effect=effect, time_limit=time_limit, max_chars=max_chars)


def tool_of(
    function: Callable[..., Any],
    *,
    name: str | None,
    effect: Effect,
    time_limit: timedelta,
    max_chars: int,
) -> Tool:
    """Make a tool of a function; see `tool`."""
    takes_key = "idempotency_key" in inspect.signature(function).parameters
    if effect is Effect.KEYED and not takes_key:
        raise ValueError(
            f"{function.__name__}: its effect is 'keyed', and it does not take the key: add the "
            "argument 'idempotency_key: str'."
        )
    if takes_key and effect is not Effect.KEYED:
        raise ValueError(
            f"{function.__name__}: it takes 'idempotency_key', and its effect is "
            f"{effect.value!r}: only a 'keyed' one is given a key."
        )
    made = Tool.from_function(
        coroutine=_as_coroutine(function),
        name=name or function.__name__,
        parse_docstring=True,
        response_format="content_and_artifact",
        handle_tool_error=str,
        handle_validation_error=explain_arguments,
        effect=effect,
        time_limit=time_limit,
        max_chars=max_chars,
    )
    assert isinstance(made, Tool)  # noqa: S101 - from_function makes its own class
    return made


def _as_coroutine(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return the function as a coroutine function whose signature is what the model may fill."""

    async def run(**arguments: Any) -> Any:
        return await call_function(function, **arguments)

    signature = inspect.signature(function, eval_str=True)
    shown = [part for name, part in signature.parameters.items() if name != "idempotency_key"]
    run.__name__ = function.__name__
    run.__doc__ = function.__doc__
    run.__annotations__ = {part.name: part.annotation for part in shown}
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return run


def explain_arguments(error: ValidationError | Any) -> str:
    """Tell the model what is wrong with its arguments."""
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}"
        for item in error.errors()
    )
    return f"The arguments do not fit: {problems}. Correct them and call the tool again."


def _usage(_: object) -> Any:
    return TOOL_CALL


def _render(result: object, max_chars: int) -> tuple[str, Artifact]:
    if isinstance(result, ToolResult):
        return _render_passages(result, max_chars)
    return _cut(as_text(result), max_chars), {"sources": []}


def _render_passages(result: ToolResult, max_chars: int) -> tuple[str, Artifact]:
    """Show as many passages as fit; the first is cut if it alone is too long."""
    parts = [_cut(result.text, max_chars)] if result.text else []
    sources: list[dict[str, str]] = []
    left_chars = max_chars - len(result.text)
    for passage in result.passages:
        source = passage.source
        head = f"[^{source.label}] {source.title}"
        if source.locator:
            head += f" ({source.locator})"
        text = passage.text.strip()
        if sources and len(head) + len(text) > left_chars:
            left = len(result.passages) - len(sources)
            parts.append(f"({left} more results were left out; ask more narrowly to see them.)")
            break
        text = _cut(text, max(0, left_chars - len(head)))
        parts.append(f"{head}\n{text}")
        sources.append(source.to_dict())
        left_chars -= len(head) + len(text)
    artifact: Artifact = {"sources": sources}
    if result.found:
        artifact["found"] = [one.to_dict() for one in result.found]
    return "\n\n".join(parts), artifact


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    note = f"\n(cut here: {len(text) - max_chars} of {len(text)} characters left out)"
    return text[:max_chars] + note
