"""Text from models, tools and files, made safe to show in a terminal."""

import json
import logging
from unicodedata import category

_HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what a terminal obeys or does not show: control, format, surrogate, and
line and paragraph separator."""


class _Written(dict[int, str | int]):
    """For each character, by its code point, what is shown of it; found out when first met."""

    def __missing__(self, point: int) -> str | int:
        character = chr(point)
        hides = category(character) in _HIDING and character not in "\n\t"
        shown = character.encode("unicode_escape").decode() if hides else point
        self[point] = shown
        return shown


_WRITTEN = _Written()


def visible(text: str) -> str:
    """Return the text with every character that hides or is obeyed written out, as ``\\x1b``.

    Some move the cursor, set the terminal's title, break the line or turn the reading direction
    around; others take no place at all, so that two words look alike. Then one thing is shown and
    another is meant. Line feeds and tabs stay.
    """
    return text.translate(_WRITTEN)


def visible_json(text: str) -> str:
    """Return JSON that means the same, with those characters as its own ``\\u001b``."""
    shown = visible(text)
    if shown == text:
        return text
    return "".join(one if visible(one) == one else json.dumps(one)[1:-1] for one in text)


class VisibleFormatter(logging.Formatter):
    """Writes log lines, whatever the errors in them quote, as `visible` makes them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with what failed below it."""
        return visible(super().format(record))


def one_line(text: str, limit: int) -> str:
    """Return the text in one line of at most ``limit`` characters, safe to show."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
