"""The keys of a thread, and the names inside them.

Every part that comes from outside is percent-encoded, so that it can hold neither a separator nor
a brace of the hash tag, and still reads plainly for ordinary ids.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from langchain_core.runnables import RunnableConfig

from treadle.core.errors import ConfigError, InputError

MAX_ID_LENGTH = 512
MAX_NAMESPACE_LENGTH = 8192
PARTS = ("idx", "cp", "val", "log", "writes")
_SAFE = ":|@+,;"


def encoded(text: str) -> str:
    """Return ``text`` without spaces, slashes, braces, ``=``, ``!`` and control characters."""
    return quote(text, safe=_SAFE)


decoded = unquote


@dataclass(frozen=True, slots=True)
class ThreadKeys:
    """The keys of one thread, in the order the scripts take them.

    Attributes:
        thread_id: the thread, as the caller names it.
        root: what the keys have in common, ``<prefix>{<thread id>}``; its braces are the hash
            tag that puts them on one node of a cluster.
    """

    thread_id: str
    root: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys themselves."""
        return tuple(f"{self.root}:{part}" for part in PARTS)


@dataclass(frozen=True, slots=True)
class Place:
    """What a LangGraph config points at.

    Attributes:
        namespace: the graph within the thread, ``""`` for the root graph; ``None`` where the
            config names none.
        checkpoint_id: the checkpoint, or ``None`` for the latest.
    """

    thread_id: str
    namespace: str | None
    checkpoint_id: str | None

    @property
    def root_namespace(self) -> str:
        """The namespace, that of the root graph where the config names none."""
        return self.namespace or ""

    def field(self, checkpoint_id: str) -> str:
        """Return the name of a checkpoint of this namespace inside the thread's hashes."""
        return f"{encoded(self.root_namespace)}/{encoded(checkpoint_id)}"


def place_of(config: RunnableConfig) -> Place:
    """Return what ``config`` points at.

    Raises:
        InputError: an id is missing, empty, too long or not text.
    """
    configurable: dict[str, Any] = config.get("configurable") or {}
    if "thread_id" not in configurable:
        raise InputError(
            "The config names no thread.",
            hint='Pass {"configurable": {"thread_id": "..."}}.',
        )
    namespace = configurable.get("checkpoint_ns")
    checkpoint_id = configurable.get("checkpoint_id") or None
    return Place(
        thread_id=checked_id("thread_id", configurable["thread_id"]),
        namespace=None
        if namespace is None
        else _checked("checkpoint_ns", namespace, MAX_NAMESPACE_LENGTH),
        checkpoint_id=None if checkpoint_id is None else checked_id("checkpoint_id", checkpoint_id),
    )


def checked_id(name: str, value: object) -> str:
    """Return ``value`` as an id.

    Raises:
        InputError: it is empty, longer than `MAX_ID_LENGTH` or not text.
    """
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        value = str(value)
    text = _checked(name, value, MAX_ID_LENGTH)
    if not text:
        raise InputError(f"The {name} is empty.", hint="Give it at least one character.")
    return text


def _checked(name: str, value: object, longest: int) -> str:
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


class KeySpace:
    """The keys under one prefix.

    Args:
        prefix: what every key begins with, such as ``"treadle:main:"``; the tenant is in it.

    Raises:
        ConfigError: the prefix holds a brace or a space, which would break the hash tag.
    """

    def __init__(self, prefix: str) -> None:
        if any(char in "{}" or char.isspace() for char in prefix) or not prefix.isprintable():
            raise ConfigError(
                f"The key prefix {prefix!r} holds a brace, a space or a control character.",
                hint="Use letters, digits and : . _ - only.",
            )
        self.prefix = prefix

    def thread(self, thread_id: str) -> ThreadKeys:
        """Return the keys of a thread."""
        return ThreadKeys(thread_id, f"{self.prefix}{{{encoded(thread_id)}}}")

    @property
    def pattern(self) -> str:
        """The SCAN pattern that finds one key of each thread."""
        literal = "".join(f"\\{char}" if char in "*?[]\\^" else char for char in self.prefix)
        return f"{literal}{{*}}:idx"

    def thread_id(self, key: str) -> str:
        """Return the thread of a key that `pattern` found."""
        return decoded(key[len(self.prefix) + 1 : -len("}:idx")])
