"""What a check finds in an answer, and how it changes the text."""

from collections.abc import Iterable
from dataclasses import dataclass

from treadle.core.sentences import Span
from treadle.core.sources import Unverified


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a text: what stands between two places becomes something else."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in an answer that the evidence does not bear out, and how to mark it."""

    item: Unverified
    edits: tuple[Edit, ...]


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits made; one inside another is left out."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= at:
            parts += text[at : edit.start], edit.text
            at = edit.end
    return "".join((*parts, text[at:]))


class Cover:
    """The parts of a text that are taken; to ask costs the length of the part in question."""

    def __init__(self, size: int, spans: Iterable[Span] = ()) -> None:
        self._taken = bytearray(size)
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Take a part of the text."""
        start, end = span
        self._taken[start:end] = b"\1" * (end - start)

    def touches(self, span: Span) -> bool:
        """Tell whether any character of a part is taken."""
        return self._taken.find(1, *span) >= 0
