"""Texts with places for values of the state, such as ``{topic}`` and ``{verdict.reason}``."""

import json
import re
from collections.abc import Mapping
from typing import Any

from treadle.graphs._reasoning import within
from treadle.graphs.turns._state import at
from treadle.memory.window import since_last_question

QUESTION = "question"
"""The name under which a template finds what was asked."""

_PART = re.compile(r"\{\{|\}\}|\{([a-z_][a-z0-9_]*(?:\.\w+)*)\}|[{}]")


class Template:
    """A text with places for values. ``{{`` and ``}}`` stand for braces.

    Args:
        text: the text.

    Raises:
        ValueError: a brace begins or ends nothing.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        found = list(_PART.finditer(text))
        for part in found:
            if part[0] in {"{", "}"}:
                shown = text[part.start() : part.start() + 20]
                raise ValueError(f"the brace in {shown!r} belongs to no {{field}}: double it")
        self.places = [part[1] for part in found if part[1]]

    @property
    def fields(self) -> set[str]:
        """The fields of the state that it shows."""
        return {place.partition(".")[0] for place in self.places}

    @property
    def is_one_value(self) -> bool:
        """Whether it is a place for a value and nothing else."""
        return len(self.places) == 1 and self.text == f"{{{self.places[0]}}}"

    def value(self, state: Mapping[str, Any]) -> Any:
        """Return the value itself where it is one place, else the text."""
        return looked_up(state, self.places[0]) if self.is_one_value else self.filled(state)

    def filled(self, state: Mapping[str, Any], room: int | None = None) -> str:
        """Return the text with the values in it, each cut to its share of ``room`` characters."""
        share = None if room is None else room // max(1, len(self.places))

        def put(part: re.Match[str]) -> str:
            if part[1] is None:
                return part[0][0]
            text = text_of(looked_up(state, part[1]))
            return text if share is None else within([text], share)[0]

        return _PART.sub(put, self.text)

    def is_filled_by(self, state: Mapping[str, Any]) -> bool:
        """Tell whether every place has something to show."""
        return all(text_of(looked_up(state, place)) for place in self.places)


def looked_up(state: Mapping[str, Any], place: str) -> Any:
    """Return what stands at a place of the state; ``question`` is what was asked."""
    if place != QUESTION or QUESTION in state:
        return at(state, place)
    turn = since_last_question(state.get("messages", ()))
    return turn[0].text if turn else ""


def text_of(value: object) -> str:
    """Return a value as a model or a person reads it."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n\n".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
