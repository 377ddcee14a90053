"""Text from models, tools and files, made safe to show in a terminal."""

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return the text with control characters written out, such as ``\\x1b``.

    A terminal would obey them: they move the cursor, set its title, or turn the reading direction
    around, so that one thing is shown and another is meant. Line feeds and tabs stay.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str, limit: int) -> str:
    """Return the text in one line of at most ``limit`` characters, safe to show."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
