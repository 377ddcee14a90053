"""How ids become keys.

Every part that comes from outside is percent-encoded, so that it can hold neither a separator nor
a brace of the hash tag, and still reads plainly for ordinary ids.
"""

from functools import lru_cache
from urllib.parse import quote, unquote
from uuid import UUID

from treadle.core.errors import ConfigError, InputError

MAX_ID_LENGTH = 512
_SAFE = ":|@+,;"


@lru_cache(maxsize=4_096)
def encoded(text: str) -> str:
    """Return ``text`` without spaces, slashes, braces, ``=``, ``!`` and control characters."""
    return quote(text, safe=_SAFE)


decoded = unquote


def thread_root(prefix: str, thread_id: str) -> str:
    """Return what all keys of a thread begin with, ``<prefix>{<thread id>}``.

    The braces are the hash tag that puts everything of a thread on one node of a cluster.
    """
    return f"{prefix}{{{encoded(thread_id)}}}"


def checked_prefix(prefix: str) -> str:
    """Return a key prefix, such as ``"treadle:main:"``, as it is.

    Raises:
        ConfigError: it holds a brace or a space, which would break the hash tag.
    """
    if any(char in "{}" or char.isspace() for char in prefix) or not prefix.isprintable():
        raise ConfigError(
            f"The key prefix {prefix!r} holds a brace, a space or a control character.",
            hint="Use letters, digits and : . _ - only.",
        )
    return prefix


def checked_id(name: str, value: object) -> str:
    """Return ``value`` as an id.

    Raises:
        InputError: it is empty, longer than `MAX_ID_LENGTH` or not text.
    """
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        value = str(value)
    text = checked_text(name, value, MAX_ID_LENGTH)
    if not text:
        raise InputError(f"The {name} is empty.", hint="Give it at least one character.")
    return text


def checked_text(name: str, value: object, longest: int) -> str:
    """Return ``value`` as text of at most ``longest`` characters.

    Raises:
        InputError: it is longer, no text, or no valid Unicode.
    """
    if not isinstance(value, str):
        raise InputError(f"The {name} is a {type(value).__name__}, not text: {value!r:.80}.")
    if len(value) > longest:
        raise InputError(
            f"The {name} is {len(value)} characters long: {value[:40]!r}….",
            hint=f"Use at most {longest}.",
        )
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise InputError(f"The {name} {value[:40]!a} is not valid Unicode: {problem}.") from None
    return value
