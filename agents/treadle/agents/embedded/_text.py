"""Small things done to text that is shown."""

from collections.abc import Sequence


def short(text: str, most: int) -> str:
    """Return a text cut at a word where it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"


def joined(parts: Sequence[str], word: str = "and") -> str:
    """Return "a", "a and b" or "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def sentence_end(text: str) -> str:
    """Return a text with a full stop where it ends without any mark."""
    return text if text.endswith((".", "!", "?", "…", ")", "\u3002")) else f"{text}."
