"""What a graph of turns keeps in its state, and how values of it are read and put together."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from treadle.graphs._reasoning import PatternState, gather


def append(known: list[Any], new: list[Any] | None) -> list[Any]:
    """Add to a list, what parallel nodes wrote in the order of the nodes; ``None`` empties it."""
    return gather(known, new)


def add(known: float, new: float | None) -> float:
    """Add to a number; ``None`` makes it zero."""
    return 0 if new is None else known + new


def merge(known: dict[str, Any], new: dict[str, Any] | None) -> dict[str, Any]:
    """Put the entries of one mapping over those of another; ``None`` empties it."""
    return {} if new is None else {**known, **new}


def count(known: dict[str, int], new: dict[str, int] | None) -> dict[str, int]:
    """Add up how often something happened, by name; ``None`` begins anew."""
    if new is None:
        return {}
    return {name: known.get(name, 0) + new.get(name, 0) for name in {**known, **new}}


class TurnState(PatternState, total=False):
    """The conversation, and what the nodes of a `TurnGraph` keep while they answer.

    Attributes:
        turn: how many turns the thread had, this one among them.
        visits: how often each node has run in this turn.
        thoughts: what was worked out before the answer.
    """

    turn: int
    visits: Annotated[dict[str, int], count]
    thoughts: Annotated[list[str], gather]


def runs(state: Mapping[str, Any], node: str) -> int:
    """Return how often that node has run in this turn."""
    return int(state.get("visits", {}).get(node, 0))


def at(state: Mapping[str, Any], place: str) -> Any:
    """Return what stands at a place such as ``verdict.score``; ``None`` when nothing does."""
    value: Any = state
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def number(value: object) -> float:
    """Return a number as it is, and for anything else one that every comparison is false with."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else math.nan  # type: ignore[return-value]


def contains(value: object, part: object) -> bool:
    """Tell whether a list holds that part, or a text has it in it, whatever their case."""
    if isinstance(value, str):
        return str(part).casefold() in value.casefold()
    return isinstance(value, list) and part in value
