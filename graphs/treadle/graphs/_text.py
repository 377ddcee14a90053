"""How wide text is, without knowing the font it will be shown in."""

import re
import unicodedata
from collections.abc import Iterable

_NARROW = frozenset("ijlftrI.,:;'|!()[]{}/\\ -")
_WIDE = frozenset("mwMWQO@%&—…")


def text_width(text: str, size: float) -> float:
    """Return a width in pixels that the text stays within in the usual sans-serif fonts.

    Args:
        text: one line.
        size: of the font, in pixels.
    """
    return size * sum(_ems(char) for char in text)


def widest(lines: Iterable[str], size: float) -> float:
    """Return the width of the widest line, zero when there is none."""
    return max((text_width(line, size) for line in lines), default=0.0)


def _ems(char: str) -> float:
    if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(char) in "WF" or ord(char) > 0xFFFF:
        return 1.3  # emoji are often wider than their em
    if char in _NARROW:
        return 0.42
    if char in _WIDE:
        return 1.0
    return 0.75 if char.isupper() or ord(char) > 0x24F else 0.63


def wrapped(text: str, size: float, limit: float, max_lines: int) -> list[str]:
    """Break the text into lines that are at most ``limit`` pixels wide.

    Lines break after spaces, hyphens, underscores and dots, inside a word where there are none, and
    what does not fit into the last one is cut off and marked with an ellipsis. No text, no lines.
    """
    lines = [""] if text else []
    for word in re.findall(r"[^ ._/-]*[ ._/-]*", text):
        for piece in _pieces(word, size, limit):
            if lines[-1] and text_width((lines[-1] + piece).rstrip(), size) > limit:
                lines.append("")
            lines[-1] += piece
    lines = [line.strip() for line in lines]
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], _cut(lines[max_lines - 1], size, limit)]
    return lines


def _pieces(word: str, size: float, limit: float) -> Iterable[str]:
    piece = ""
    for char in word:
        if text_width((piece + char).rstrip(), size) > limit:
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _cut(line: str, size: float, limit: float) -> str:
    while line and text_width(line + "…", size) > limit:
        line = line[:-1]
    return line.rstrip() + "…"
