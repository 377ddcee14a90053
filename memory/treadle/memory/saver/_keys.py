"""The keys of a thread's checkpoints, and the names inside them."""

from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig

from treadle.core.errors import InputError
from treadle.memory._keys import (
    MAX_ID_LENGTH,
    checked_id,
    checked_prefix,
    checked_text,
    decoded,
    encoded,
    thread_root,
)

__all__ = [
    "FENCE",
    "MAX_ID_LENGTH",
    "PARTS",
    "KeySpace",
    "Place",
    "ThreadKeys",
    "checked_id",
    "decoded",
    "encoded",
    "index_key",
]

MAX_NAMESPACE_LENGTH = 8192
# LangGraph keeps what begins with two underscores out of metadata and traces.
FENCE = "__treadle_fence"
PARTS = ("idx", "cp", "val", "log", "writes")


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

    def collected(self, name: str) -> "ThreadKeys":
        """Return the keys a copy is collected under until it is complete and becomes this one."""
        return ThreadKeys(self.thread_id, f"{self.root}:copy:{name}")

    @property
    def fence(self) -> str:
        """The key that says whose writes are accepted. The saver reads it and never writes it."""
        return f"{self.root}:fence"

    def guarded(self, token: str) -> tuple[str, ...]:
        """Return the keys, and the fence's where there is a token to compare with it."""
        return (*self.keys, self.fence) if token else self.keys


def index_key(prefix: str, thread_id: str) -> str:
    """Return the key that exists while a thread has a checkpoint; it shares the thread's hash tag.

    Args:
        prefix: the saver's.
        thread_id: the thread.
    """
    return ThreadKeys(thread_id, thread_root(prefix, thread_id)).keys[0]


@dataclass(frozen=True, slots=True)
class Place:
    """What a LangGraph config points at.

    Attributes:
        namespace: the graph within the thread, ``""`` for the root graph; ``None`` where the
            config names none.
        checkpoint_id: the checkpoint, or ``None`` for the latest.
        fence: the token that writes are made with, ``""`` for none.
    """

    thread_id: str
    namespace: str | None
    checkpoint_id: str | None
    fence: str = ""

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
        else checked_text("checkpoint_ns", namespace, MAX_NAMESPACE_LENGTH),
        checkpoint_id=None if checkpoint_id is None else checked_id("checkpoint_id", checkpoint_id),
        fence=checked_text("fence token", configurable.get(FENCE, ""), MAX_ID_LENGTH),
    )


class KeySpace:
    """The keys under one prefix.

    Args:
        prefix: what every key begins with, such as ``"treadle:main:"``; the tenant is in it.

    Raises:
        ConfigError: the prefix holds a brace or a space, which would break the hash tag.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = checked_prefix(prefix)

    def thread(self, thread_id: str) -> ThreadKeys:
        """Return the keys of a thread."""
        return ThreadKeys(thread_id, thread_root(self.prefix, thread_id))

    @property
    def pattern(self) -> str:
        """The SCAN pattern that finds one key of each thread."""
        literal = "".join(f"\\{char}" if char in "*?[]\\^" else char for char in self.prefix)
        return f"{literal}{{*}}:idx"

    def thread_id(self, key: str) -> str:
        """Return the thread of a key that `pattern` found."""
        return decoded(key[len(self.prefix) + 1 : -len("}:idx")])
