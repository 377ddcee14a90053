"""Saying what is different between what was recorded and what happens now."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

_SHOWN = 200


class _Absent(str):
    """Stands where one side has nothing, which is neither ``None`` nor any text."""

    __slots__ = ()


_ABSENT = _Absent("(absent)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        where: the call or event.
        field: the part of it, as a path such as ``messages[2].content``.
        recorded: what the journal holds there.
        found: what there is now.
    """

    where: str
    field: str
    recorded: Any
    found: Any

    def __str__(self) -> str:
        return (
            f"{self.where}, {self.field}: recorded {_shown(self.recorded)}, "
            f"now {_shown(self.found)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "where": self.where,
            "field": self.field,
            "recorded": self.recorded,
            "found": self.found,
        }


def request_difference(
    where: str, recorded: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]
) -> Difference:
    """Return the first difference between two requests, given as pieces of JSON by name."""
    for name in dict.fromkeys([*recorded, *found]):
        before, now = recorded.get(name, ()), found.get(name, ())
        for index in range(max(len(before), len(now))):
            field = f"{name}[{index}]" if name == "messages" else name
            if index >= len(before):
                return Difference(where, field, None, json.loads(now[index]))
            if index >= len(now):
                return Difference(where, field, _loaded(before[index]), None)
            if before[index] != now[index]:
                inner = first_difference(_loaded(before[index]), json.loads(now[index]), field)
                if inner is not None:
                    return Difference(where, *inner)
    return Difference(where, "request", "another", "this")


def first_difference(before: Any, now: Any, field: str = "") -> tuple[str, Any, Any] | None:
    """Return the path, the old and the new value of the first difference; ``None`` without one."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*before, *now]):
            path = f"{field}.{name}" if field else name
            inner = first_difference(before.get(name, _ABSENT), now.get(name, _ABSENT), path)
            if inner is not None:
                return inner
        return None
    if isinstance(before, list) and isinstance(now, list):
        for index, (old, new) in enumerate(zip_longest(before, now, fillvalue=_ABSENT)):
            inner = first_difference(old, new, f"{field}[{index}]")
            if inner is not None:
                return inner
        return None
    return None if before == now and type(before) is type(now) else (field, before, now)


def _loaded(piece: str) -> Any:
    return json.loads(piece) if piece else "(not kept)"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
