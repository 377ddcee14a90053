"""The Lua scripts, each as a function whose signature is its contract."""

from collections.abc import Sequence

from treadle.memory._lua import Script, ScriptCall, load_script
from treadle.memory.saver._keys import ThreadKeys


def _load(name: str) -> Script:
    return load_script(__package__, name)


_STORE = _load("store")
_LOAD = _load("load")
_HISTORY = _load("history")
_BODIES = _load("bodies")
_FIELDS = _load("fields")
_RECORDS = _load("records")
_HEADERS = _load("headers")
_REMOVE = _load("remove")
_DELETE = _load("delete")
_EXPORT = _load("export")
_IMPORT = _load("import")
_ADOPT = _load("adopt")


def store(
    thread: ThreadKeys,
    *,
    fence: str,
    known_epoch: str,
    fresh_id: str,
    ttl_ms: int,
    items: Sequence[str | bytes | int],
    bodies: Sequence[bytes],
) -> ScriptCall:
    """Store items, in their order, and the bodies they are the first to refer to.

    Replies ``[b"ok", log id, epoch, first position]``, ``[b"stale"]`` or ``[b"fenced", token]``.
    """
    head = (fence, known_epoch, fresh_id, ttl_ms)
    first_body = len(head) + 2 + len(items)
    return ScriptCall(_STORE, thread.guarded(fence), (*head, first_body, *items, *bodies))


def checkpoint_item(
    field: str, record: bytes, values: Sequence[tuple[str, bytes]]
) -> tuple[str | bytes | int, ...]:
    """Return a checkpoint and its new values, for `store`."""
    return ("checkpoint", field, record, len(values), *(part for pair in values for part in pair))


def writes_item(field: str, batch: bytes) -> tuple[str | bytes | int, ...]:
    """Return a batch of pending writes of a checkpoint, for `store`."""
    return ("writes", field, batch)


def load(
    thread: ThreadKeys,
    *,
    namespace: str,
    known_epoch: str,
    held: tuple[int, int],
    fields: Sequence[str] = (),
) -> ScriptCall:
    """Read checkpoints, or the latest of ``namespace``, with values and pending writes.

    Replies ``[log id, epoch, [[field, record, [value...], [batch...]]...],
    [[first position, [body...]]...]]``, without the bodies in ``held``.
    """
    return ScriptCall(_LOAD, thread.keys, (namespace, known_epoch, *held, *fields))


def history(
    thread: ThreadKeys, *, namespace: str, field: str, channels: Sequence[str]
) -> ScriptCall:
    """Walk the ancestors of a checkpoint until each channel has a stored value.

    Replies ``[log id, epoch, [[field, [batch...], [channel, value, ...]]...], bodies]``, nearest
    ancestor first.
    """
    return ScriptCall(_HISTORY, thread.keys, (namespace, field, *channels))


def bodies(
    thread: ThreadKeys, *, known_epoch: str, held: tuple[int, int], spans: str
) -> ScriptCall:
    """Read the bodies of an interval list.

    Replies ``[log id, epoch, [[first position, [body...]]...]]``, without the bodies in ``held``.
    """
    return ScriptCall(_BODIES, thread.keys, (known_epoch, *held, spans))


def all_fields(thread: ThreadKeys) -> ScriptCall:
    """Name every checkpoint of the thread. Replies ``[field, ...]``."""
    return ScriptCall(_FIELDS, thread.keys, ("all",))


def fields(thread: ThreadKeys, *, namespace: str, before: str, limit: int) -> ScriptCall:
    """Name the checkpoints of a namespace, newest first; ``limit`` -1 means all.

    Replies ``[field, ...]``.
    """
    return ScriptCall(_FIELDS, thread.keys, (namespace, before, limit))


def records(thread: ThreadKeys, wanted: Sequence[str]) -> ScriptCall:
    """Read records without their values. Replies ``[record or None, ...]``."""
    return ScriptCall(_RECORDS, thread.keys, tuple(wanted))


def headers(thread: ThreadKeys) -> ScriptCall:
    """Read the header of every checkpoint. Replies ``[field, header, ...]``."""
    return ScriptCall(_HEADERS, thread.keys, ())


def remove(thread: ThreadKeys, *, fresh_id: str, wanted: Sequence[str]) -> ScriptCall:
    """Remove checkpoints and all that only they used. Replies how many were removed."""
    return ScriptCall(_REMOVE, thread.keys, (fresh_id, *wanted))


def delete(thread: ThreadKeys) -> ScriptCall:
    """Remove the thread. Replies the number of keys removed."""
    return ScriptCall(_DELETE, thread.keys, ())


def export(thread: ThreadKeys) -> ScriptCall:
    """Read all of a thread. Replies ``[idx, cp, val, log, writes]``, each a flat list."""
    return ScriptCall(_EXPORT, thread.keys, ())


def import_part(
    collected: ThreadKeys, *, ttl_ms: int, part: str, entries: Sequence[bytes]
) -> ScriptCall:
    """Collect a part of an exported thread. Replies ``b"ok"``."""
    return ScriptCall(_IMPORT, collected.keys, (ttl_ms, part, *entries))


def adopt(thread: ThreadKeys, collected: ThreadKeys, *, ttl_ms: int) -> ScriptCall:
    """Make what was collected the thread, all at once. Replies ``b"ok"`` or ``b"occupied"``."""
    return ScriptCall(_ADOPT, thread.keys + collected.keys, (ttl_ms,))
