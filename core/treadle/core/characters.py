"""Text that every encoding of Unicode takes: without halves of surrogate pairs.

Python holds such a half where a byte of the command line was no UTF-8, where JSON spells one as an
escape, and where a stream was cut inside a pair.
"""

from collections.abc import Mapping
from typing import Any

from treadle.core.errors import InputError


def whole(text: str) -> str:
    """Return the text with halves that belong together as one character, and others as U+FFFD."""
    if is_whole(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_whole(text: str) -> bool:
    """Tell whether the text holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_data(data: Any) -> Any:
    """Return JSON data with every text in it as `whole` makes it, keys too."""
    if isinstance(data, str):
        return whole(data)
    if isinstance(data, Mapping):
        return {whole_data(key): whole_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [whole_data(item) for item in data]
    return data


def check_whole(what: str, *data: Any) -> None:
    """Refuse what somebody typed that cannot be written down.

    Args:
        what: what it is, such as ``"The question"``.
        data: texts, and lists and dicts of them.

    Raises:
        InputError: it holds half of a surrogate pair.
    """
    for item in data:
        if isinstance(item, str):
            _check_text(what, item)
        elif isinstance(item, Mapping):
            check_whole(what, *item.keys(), *item.values())
        elif isinstance(item, list | tuple):
            check_whole(what, *item)


def _check_text(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} cannot be written down: character {error.start + 1} is {text[error.start]!r}.",
            hint="Send it as UTF-8: this is a byte of another encoding, or half of a character.",
        ) from None
