"""Sentences of a text that may cite sources."""

import re
from collections.abc import Iterator

from treadle.core.sources import LABEL

Span = tuple[int, int]
"""Where a piece of a text begins and ends, in characters."""

_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bSt)(?<!\bvs)(?<!\bca)(?<!\bMrs)(?<!\be\.g)(?<!\bi\.e)"
    r"[.!?\u3002]+[\"'\u201d\u2019\u00bb)*]*(?=\s|\[\^|$)|\n\s*\n|\n(?=\s*(?:[-*|>#]|\d+[.)]\s))"
)
_LABELS = re.compile(rf"(?:\s*{LABEL.pattern})+[ \t]*[.!?]?")


def sentences(text: str, *, with_labels: bool = False) -> Iterator[Span]:
    """Yield where the sentences of a text stand.

    Args:
        text: the text.
        with_labels: whether the labels right behind a sentence belong to it.
    """
    at = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if with_labels and (labels := _LABELS.match(text, end)):
            end = labels.end()
        if end > at:
            yield from _trimmed(text, at, end)
            at = end
    yield from _trimmed(text, at, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    body = text[start:end]
    left = len(body) - len(body.lstrip())
    if body.strip():
        yield start + left, start + len(body.rstrip())
