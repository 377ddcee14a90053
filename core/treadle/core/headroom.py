"""How much of a run's budget is left, for graphs that end in time.

Whoever keeps the budget says how to read it, with `metered`; a graph asks with `headroom`. The
answer is a decision of the run, so that a repetition of the run finds the same one.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

from treadle.core import boundary

DECISION = "budget.headroom"
"""The name of the decision."""


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of a budget.

    Attributes:
        unit: the unit that is scarcest, such as ``"tokens"``.
        used: the share of it that is spent or reserved, from 0 to 1.
        model_calls: how many more model calls fit, as far as can be told: 0, 1, or ``None`` for
            more.
        about: the same in words, such as ``"90% of the run's 10 model calls are used"``.
    """

    unit: str
    used: float
    model_calls: int | None
    about: str


Read = Callable[[], Awaitable[Headroom | None]]

_read: ContextVar[Read | None] = ContextVar("treadle_headroom", default=None)


@contextmanager
def metered(read: Read) -> Iterator[None]:
    """Let runs inside ask for their headroom, which ``read`` tells.

    A run that is repeated from its journal must be metered when it was so at first; what ``read``
    says does not matter then.
    """
    token = _read.set(read)
    try:
        yield
    finally:
        _read.reset(token)


_FIELDS = tuple(field.name for field in fields(Headroom))


async def headroom() -> Headroom | None:
    """Return what is left of the run's budget; ``None`` when nothing limits it."""
    read = _read.get()
    if read is None:
        return None

    async def execute() -> Mapping[str, Any] | None:
        found = await read()
        return None if found is None else {name: getattr(found, name) for name in _FIELDS}

    known = await boundary.decide(DECISION, execute)
    return None if known is None else Headroom(**known)
