"""Calling functions that others wrote, whatever they raise."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle.core.characters import whole


async def call_function(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Await a coroutine function, and run a plain one in a thread; return what it returned.

    Raises:
        RuntimeError: it raised what no task can carry, or what would end more than this call, such
            as ``StopIteration``, ``SystemExit`` or ``GeneratorExit``: see `raised`.
        Exception: any other that it raised.
        CancelledError: somebody stops the task that waits for it.
    """
    task = asyncio.current_task()
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*args, **kwargs)
        return await asyncio.to_thread(_in_thread, function, args, kwargs)
    except BaseException as error:
        if isinstance(error, Exception) or _is_meant_for(task, error):
            raise
        raise _carrying(function, error) from error


def _in_thread(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call it; what a future refuses, or would close whoever waits for it with, is carried."""
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise _carrying(function, error) from error


def _carrying(function: Callable[..., Any], error: BaseException) -> RuntimeError:
    return RuntimeError(f"{function!r} raised {type(error).__name__}")


def _is_meant_for(task: asyncio.Task[Any] | None, error: BaseException) -> bool:
    """Tell whether somebody stops the task, or closes its coroutine from outside of it."""
    if isinstance(error, asyncio.CancelledError):
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit) and _current_task() is not task


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # No event loop runs any more.
        return None


def raised(error: BaseException) -> BaseException:
    """Return what a function raised, also where a `RuntimeError` carries it.

    Python itself makes one of a ``StopIteration`` that leaves a coroutine or a generator (PEP 479),
    and LangChain of one that leaves a plain function in a thread.
    """
    cause = error.__cause__
    is_carried = isinstance(cause, StopIteration | StopAsyncIteration) or not isinstance(
        cause, Exception | None
    )
    return cause if type(error) is RuntimeError and cause is not None and is_carried else error


def in_words(error: BaseException) -> str:
    """Return an exception as its type and what it says, as text that can be written down."""
    error = raised(error)
    name, said = type(error).__name__, whole(str(error))
    return f"{name}: {said}" if said else name


def as_sentence(text: str) -> str:
    """Return a text with an end, so that another sentence can follow."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
