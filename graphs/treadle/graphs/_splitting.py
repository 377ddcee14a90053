"""Splitting long texts where it does least harm."""

import re
from collections.abc import Iterator, Sequence

_LABELLED = re.compile(r"^\[\^\w+\][^\n]*", re.MULTILINE)
_BREAKS = ("\n\n", "\n", ". ", " ")


def split_text(texts: Sequence[str], limit: int) -> list[str]:
    """Return the texts in parts of at most ``limit`` characters, as few as that allows.

    Short texts share a part. A long one is split behind a paragraph, a line, a sentence or a word
    where there is one in the second half of the part. A part that begins in the middle of what
    carries a label begins with the line that has it, so that it can be cited.

    Args:
        texts: the texts; blank ones are left out.
        limit: characters, at least 200.
    """
    parts: list[str] = []
    for text in texts:
        for piece in _pieces(text.strip(), limit):
            if parts and len(parts[-1]) + len(piece) + 2 <= limit:
                parts[-1] += f"\n\n{piece}"
            else:
                parts.append(piece)
    return parts


def _pieces(text: str, limit: int) -> Iterator[str]:
    label = ""
    while text:
        head = "" if not label or _LABELLED.match(text) else f"{label[: limit // 2]}\n"
        cut = _cut(text, limit - len(head))
        yield head + text[:cut].rstrip()
        if found := _LABELLED.findall(text, 0, cut):
            label = found[-1]
        text = text[cut:].lstrip()


def _cut(text: str, limit: int) -> int:
    if len(text) <= limit:
        return len(text)
    for mark in _BREAKS:
        place = text.rfind(mark, limit // 2, limit)
        if place > 0:
            return place + len(mark)
    return limit
