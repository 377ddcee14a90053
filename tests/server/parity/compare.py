"""Comparing answers field by field, without what is new in every run."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEX = re.compile(r"\b[0-9a-f]{32}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
MILLISECONDS = range(1_600_000_000_000, 3_000_000_000_000)


def plain(answer: Any) -> Any:
    """Return an answer with ids, times and the server's address replaced by what they are."""
    if isinstance(answer, dict):
        return {plain(name): plain(value) for name, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [plain(item) for item in answer]
    if isinstance(answer, str):
        named = TIME.sub("<time>", HEX.sub("<hex>", UUID.sub("<uuid>", answer)))
        return ADDRESS.sub("<server>", named)
    if isinstance(answer, int) and answer in MILLISECONDS:
        return "<time>"
    return json.loads(json.dumps(answer))


@dataclass(frozen=True)
class Difference:
    """A place at which two answers differ, and what stands there."""

    place: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.place}: {_short(self.theirs)} there, {_short(self.ours)} here"


NOTHING = "(nothing)"


def differences(place: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    """Yield where two answers differ: in names, types, values, or how many there are."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            yield from differences(
                f"{place}.{name}", theirs.get(name, NOTHING), ours.get(name, NOTHING)
            )
    elif isinstance(theirs, list) and isinstance(ours, list):
        for at, (their, our) in enumerate(zip_longest(theirs, ours, fillvalue=NOTHING)):
            yield from differences(f"{place}[{at}]", their, our)
    elif theirs != ours or type(theirs) is not type(ours):
        yield Difference(place, theirs, ours)


def count(answer: Any) -> int:
    """Return how many values an answer holds."""
    if isinstance(answer, dict):
        return sum(map(count, answer.values()))
    if isinstance(answer, list):
        return sum(map(count, answer))
    return 1


def _short(value: Any) -> str:
    text = value if value == NOTHING else json.dumps(value)
    return text if len(text) <= 700 else f"{text[:700]}…"
