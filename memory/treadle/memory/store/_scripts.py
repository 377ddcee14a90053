"""The Lua scripts, each as a function whose signature is its contract."""

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.memory._lua import Script, ScriptCall, load_script
from treadle.memory.store._keys import Group


def _load(name: str) -> Script:
    return load_script(__package__, name)


_PUT = _load("put")
_GET = _load("get")
_PAGE = _load("page")
_PATHS = _load("paths")
_FORGET = _load("forget")
_DIRECTORY = _load("directory")

NEWEST = "+inf"


@dataclass(frozen=True, slots=True)
class Write:
    """One item to write, or to remove.

    Attributes:
        path: its namespace within the group.
        key: its key, encoded.
        ttl: its time to live in milliseconds, ``"0"`` for ever, ``"-"`` to remove it.
        value: its value as it is stored.
        vectors: the vectors of its texts as they are stored; empty where there are none.
    """

    path: str
    key: str
    ttl: str = "-"
    value: bytes = b""
    vectors: bytes = b""


@dataclass(frozen=True, slots=True)
class Expected:
    """An item that must be as it was.

    Attributes:
        path: its namespace within the group.
        key: its key, encoded.
        updated: when it was last written, in microseconds; empty where there must be none.
    """

    path: str
    key: str
    updated: str


_NOTHING = Expected("", "", "")


def put(
    group: Group, writes: Sequence[Write], *, is_listed: bool, expected: Expected | None = None
) -> ScriptCall:
    """Write and remove items, all or nothing. Replies ``b"ok"``, ``b"unlisted"``, ``b"changed"``.

    Args:
        group: where.
        writes: what.
        is_listed: whether the group is known to be in the directory.
        expected: what must not have changed, else the reply is ``b"changed"``.
    """
    condition = expected or _NOTHING
    flat = [part for w in writes for part in (w.path, w.key, w.ttl, w.value, w.vectors)]
    head = (int(is_listed), condition.path, condition.key, condition.updated)
    return ScriptCall(_PUT, group.keys, (*head, *flat))


def get(group: Group, wanted: Sequence[tuple[str, str, bool]]) -> ScriptCall:
    """Read items by path, key, and whether their time to live starts anew.

    Replies ``[record or None, ...]``; an empty record where the key holds something else.
    """
    flat = [part for path, key, refresh in wanted for part in (path, key, int(refresh))]
    return ScriptCall(_GET, group.keys, tuple(flat))


def page(
    group: Group,
    path: str,
    *,
    before: str = NEWEST,
    skip: int = 0,
    count: int,
    records: bool = True,
    vectors: bool = False,
) -> ScriptCall:
    """Read items at or under ``path``, those written last first.

    Replies ``[number passed, moment of the last, [[path, key, record, vectors], ...]]``.
    """
    args = (path, before, skip, count, int(records), int(vectors))
    return ScriptCall(_PAGE, group.keys, args)


def paths(group: Group, path: str) -> ScriptCall:
    """Name the namespaces at or under ``path`` that hold items. Replies ``[path, ...]``."""
    return ScriptCall(_PATHS, group.keys, (path,))


def forget(group: Group, path: str, limit: int) -> ScriptCall:
    """Remove at most ``limit`` items at or under ``path``.

    Replies ``[items, vectors, namespaces emptied, namespaces left]``.
    """
    return ScriptCall(_FORGET, group.keys, (path, limit))


def list_groups(directory: str, names: Sequence[str]) -> ScriptCall:
    """Put groups into the directory."""
    return ScriptCall(_DIRECTORY, (directory,), ("add", *names))


def unlist_groups(directory: str, names: Sequence[str]) -> ScriptCall:
    """Take groups out of the directory."""
    return ScriptCall(_DIRECTORY, (directory,), ("remove", *names))


def find_groups(directory: str, prefix: str, after: str, limit: int) -> ScriptCall:
    """Find the groups whose names begin with ``prefix`` and follow ``after``, if given.

    Replies ``[name, ...]``.
    """
    first = f"({after}" if after else f"[{prefix}" if prefix else "-"
    last = f"({prefix}\xff".encode("latin-1") if prefix else "+"
    return ScriptCall(_DIRECTORY, (directory,), ("find", first, last, limit))
