"""Model calls that are made side by side under one budget.

A budget reserves the most that a call can cost, which may be all that is left; calls beside it are
then refused, although most of it will be given back. Such a call waits, and is tried again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from treadle.core.boundary import decide
from treadle.core.errors import BudgetExceededError
from treadle.memory.window import running_thread

T = TypeVar("T")

DECISION = "graphs.another_call_ended"
"""The name of the decision whether a refused call is tried again."""

_NEVER_GIVEN_BACK = {"model_calls", "tool_calls", "seconds"}


@dataclass(slots=True)
class _Calls:
    """The calls of one thread: how many are being made, and how many have ended."""

    users: int = 0
    active: int = 0
    ended: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self, *, has_ended: bool) -> None:
        """Note that one is not being made any more; what was refused has not ended."""
        self.active -= 1
        self.ended += has_ended
        self.changed.set()
        self.changed = asyncio.Event()

    async def another_ended(self, known: int) -> bool:
        """Wait until one ends beyond those known, as long as any is being made."""
        while self.ended == known and self.active:
            await self.changed.wait()
        return self.ended != known


_calls: dict[tuple[int, str | None], _Calls] = {}


async def side_by_side(ask: Callable[[], Awaitable[T]]) -> T:
    """Make a model call; where the budget holds too much for those beside it, after them.

    Raises:
        BudgetExceededError: the budget does not allow it, whatever is given back.
    """
    with _joined() as calls:
        while True:
            known, refusal = calls.ended, None
            calls.active += 1
            try:
                return await ask()
            except BudgetExceededError as error:
                refusal = error
            finally:
                calls.leave(has_ended=refusal is None)
            if not await _try_again(calls, known, refusal):
                raise refusal


async def _try_again(calls: _Calls, known: int, error: BudgetExceededError) -> bool:
    async def execute() -> bool:
        return error.unit not in _NEVER_GIVEN_BACK and await calls.another_ended(known)

    return await decide(DECISION, execute)


@contextmanager
def _joined() -> Iterator[_Calls]:
    key = (id(asyncio.get_running_loop()), running_thread())
    calls = _calls.setdefault(key, _Calls())
    calls.users += 1
    try:
        yield calls
    finally:
        calls.users -= 1
        if not calls.users:
            _calls.pop(key, None)
