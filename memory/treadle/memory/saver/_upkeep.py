"""Finding, removing and copying checkpoints: what is not part of a turn."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple

from treadle.core.errors import InputError
from treadle.core.json_text import same_json
from treadle.memory._codec import naming
from treadle.memory._lua import FindKeys
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._batch import fresh_id
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._keys import PARTS, Place, ThreadKeys, checked_id, decoded, encoded
from treadle.memory.saver._operations import load
from treadle.memory.saver._reading import where
from treadle.memory.saver._records import Header, read_checkpoint

_CHUNK_BYTES = 8 << 20
_CHUNK_ENTRIES = 10_000
_COPY_TTL_MS = 3_600_000  # how long a copy that was cut short takes up room


def find_threads(context: Context) -> Operation[list[str]]:
    """Return every thread under the prefix. Searches the whole of Redis."""
    keys = yield FindKeys(context.space.pattern)
    return sorted(context.space.thread_id(key) for key in keys)


def find(
    context: Context, place: Place, before: str | None, limit: int | None
) -> Operation[list[str]]:
    """Name the checkpoints at ``place`` (of all namespaces where it names none), newest first."""
    thread = context.space.thread(place.thread_id)
    if place.checkpoint_id is not None and place.namespace is not None:
        is_before = before is None or place.checkpoint_id < before
        return [place.field(place.checkpoint_id)] if is_before else []
    if place.namespace is not None:
        reply = yield scripts.fields(
            thread,
            namespace=encoded(place.namespace),
            before=encoded(before or ""),
            limit=-1 if limit is None else limit,
        )
        return [field.decode() for field in reply]
    reply = yield scripts.all_fields(thread)
    found = [(decoded(name.partition("/")[2]), name) for name in map(bytes.decode, reply)]
    return [
        name
        for checkpoint_id, name in sorted(found, reverse=True)
        if place.checkpoint_id in (None, checkpoint_id)
        and (before is None or checkpoint_id < before)
    ]


def page(
    context: Context, thread_id: str, fields: Sequence[str], wanted: Mapping[str, Any] | None
) -> Operation[list[CheckpointTuple]]:
    """Read those of ``fields`` with the wanted metadata: a round trip, two where some is wanted."""
    thread = context.space.thread(thread_id)
    if wanted:
        records = yield scripts.records(thread, fields)
        fields = [
            field
            for field, record in zip(fields, records, strict=True)
            if record is not None and _has(context, thread, field, record, wanted)
        ]
    return (yield from load(context, thread, fields)) if fields else []


def _has(
    context: Context, thread: ThreadKeys, field: str, record: bytes, wanted: Mapping[str, Any]
) -> bool:
    with naming(where(thread, field)):
        _, _, metadata = read_checkpoint(record, context.codec)
    return all(same_json(metadata.get(key), value) for key, value in wanted.items())


def delete(context: Context, thread_id: str) -> Operation[None]:
    """Remove a thread."""
    thread = context.space.thread(checked_id("thread_id", thread_id))
    yield scripts.delete(thread)
    context.cache.forget(thread.root)


def delete_runs(context: Context, run_ids: Iterable[str]) -> Operation[None]:
    """Remove the checkpoints that the runs made, in every thread."""
    wanted = set(map(str, run_ids))
    if not wanted:
        return
    for thread_id in (yield from find_threads(context)):
        thread = context.space.thread(thread_id)
        headers = yield from _headers(thread)
        made = [field for field, header in headers.items() if header.run_id in wanted]
        yield from _remove(context, thread, made)


def prune(context: Context, thread_ids: Iterable[str], strategy: str) -> Operation[None]:
    """Remove threads, or all of them but what their latest checkpoints need."""
    if strategy not in ("keep_latest", "delete"):
        raise InputError(
            f"There is no pruning strategy {strategy!r}.", hint="Use 'keep_latest' or 'delete'."
        )
    for thread_id in thread_ids:
        if strategy == "delete":
            yield from delete(context, thread_id)
            continue
        thread = context.space.thread(checked_id("thread_id", thread_id))
        headers = yield from _headers(thread)
        needed = yield from _needed(context, thread, headers)
        yield from _remove(context, thread, [name for name in headers if name not in needed])


def _headers(thread: ThreadKeys) -> Operation[dict[str, Header]]:
    reply = yield scripts.headers(thread)
    headers: dict[str, Header] = {}
    for name, line in zip(reply[::2], reply[1::2], strict=True):
        field = name.decode()
        with naming(where(thread, field)):
            headers[field] = Header.of(line)
    return headers


def _needed(
    context: Context, thread: ThreadKeys, headers: Mapping[str, Header]
) -> Operation[set[str]]:
    """Return the latest checkpoint of each namespace, and the ancestors it is rebuilt from."""
    heads = {field.partition("/")[0]: field for field in sorted(headers)}
    fields = list(heads.values())
    needed = set(fields)
    records = yield scripts.records(thread, fields)
    for field, record in zip(fields, records, strict=True):
        if record is not None:
            needed |= _delta_ancestors(context, thread, field, record, headers)
    return needed


def _delta_ancestors(
    context: Context,
    thread: ThreadKeys,
    field: str,
    record: bytes,
    headers: Mapping[str, Header],
) -> set[str]:
    """Return the ancestors back to where every delta channel has a stored snapshot."""
    with naming(where(thread, field)):
        header, _, metadata = read_checkpoint(record, context.codec)
    missing = set(metadata.get("counters_since_delta_snapshot") or ()) - header.stored
    namespace = field.partition("/")[0]
    ancestors: set[str] = set()
    while missing and header.parent_id is not None:
        field = f"{namespace}/{encoded(header.parent_id)}"
        if field in ancestors or field not in headers:
            break
        ancestors.add(field)
        header = headers[field]
        missing -= header.stored
    return ancestors


def _remove(context: Context, thread: ThreadKeys, fields: Sequence[str]) -> Operation[None]:
    if fields:
        yield scripts.remove(thread, fresh_id=fresh_id(), wanted=fields)
        context.cache.forget(thread.root)


def copy(context: Context, source_id: str, target_id: str) -> Operation[None]:
    """Copy a thread under another id."""
    source = context.space.thread(checked_id("source_thread_id", source_id))
    target = context.space.thread(checked_id("target_thread_id", target_id))
    parts = yield scripts.export(source)
    if not parts[0]:
        return
    collected = target.collected(fresh_id())
    for part, entries in zip(PARTS, parts, strict=True):
        for chunk in _chunks(entries):
            yield scripts.import_part(collected, ttl_ms=_COPY_TTL_MS, part=part, entries=chunk)
    context.cache.forget(target.root)
    reply = yield scripts.adopt(target, collected, ttl_ms=context.ttl_ms)
    if reply == b"occupied":
        raise InputError(
            f"The thread {target_id!r} exists already.",
            hint="Delete it first, or copy to another id.",
        )


def _chunks(entries: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Split entries, in pairs, so that no command is very large."""
    chunk: list[bytes] = []
    size = 0
    for number in range(0, len(entries), 2):
        pair = entries[number : number + 2]
        chunk += pair
        size += sum(map(len, pair))
        if size > _CHUNK_BYTES or len(chunk) >= _CHUNK_ENTRIES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
