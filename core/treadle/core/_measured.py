"""How long a call took and how it ended, whichever way that was."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from treadle.core.calls import Call, CallKind, Outcome
from treadle.core.errors import BoundaryError
from treadle.core.usage import Usage


class Measured:
    """Makes the outcome of what runs inside it, whichever way that ends.

    Args:
        call: the call.
        so_far: returns what was received of a stream until now; ``None`` where it is none.

    Attributes:
        outcome: how it ended.
    """

    def __init__(self, call: Call, so_far: Callable[[], Any] | None = None) -> None:
        self._call = call
        self._so_far = so_far
        self._started = time.perf_counter()
        self._value: Any = None
        self._usage = Usage()
        self.outcome = Outcome()

    def __enter__(self) -> None:
        return None

    def returned(self, value: object, usage: Usage) -> None:
        """Know what the call returned, and what that cost."""
        self._value = value
        self._usage = usage

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._started
        if error is None:
            self.outcome = Outcome(self._value, None, self._usage, seconds)
            return
        so_far = self._so_far if isinstance(error, GeneratorExit) else None
        contained = error if so_far else _contained(self._call, error)
        value = so_far() if so_far else None
        failed = Outcome(value, contained, _FAILED.get(self._call.kind, Usage()), seconds)
        self.outcome = replace(failed, usage=Usage()) if failed.is_paused else failed
        if contained is not error:
            raise contained from error


_FAILED = {
    CallKind.MODEL: Usage(model_calls=1, unpriced_calls=1),
    CallKind.TOOL: Usage(tool_calls=1),
    CallKind.EMBEDDING: Usage(unpriced_calls=1),
}


_PASSES = (Exception, asyncio.CancelledError, KeyboardInterrupt)


def _contained(call: Call, error: BaseException) -> BaseException:
    """Return the error to raise: ``SystemExit`` and its like would end more than the call."""
    if isinstance(error, _PASSES):
        return error
    return BoundaryError(f"The {call.kind} {call.name!r} raised {type(error).__name__}: {error}")
