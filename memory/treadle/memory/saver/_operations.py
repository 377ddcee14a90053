"""What the saver does, apart from how it talks to Redis.

Each operation is a generator: it yields a `Request`, is sent the reply, and returns its result.
The synchronous and the asynchronous face drive the same generators.
"""

import random
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from treadle.core.errors import InputError
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._bodies import Body, digest
from treadle.memory.saver._cache import LogCache, SaverCache, is_logged
from treadle.memory.saver._codec import Codec, naming
from treadle.memory.saver._errors import RecordError
from treadle.memory.saver._intervals import NEW, intervals
from treadle.memory.saver._keys import (
    KeySpace,
    Place,
    ThreadKeys,
    checked_id,
    decoded,
    encoded,
    place_of,
)
from treadle.memory.saver._records import (
    Header,
    checkpoint_record,
    log_value,
    read_checkpoint,
    read_log_value,
    read_writes,
    value_field,
    writes_batch,
)
from treadle.memory.saver._scripts import FindKeys, Request

T = TypeVar("T")
Operation = Generator[Request, Any, T]

PAGE = 25
_IMPORT_BYTES = 8 << 20
_FEW_INTERVALS = 16
_INTERVAL_BYTES = 10
_DAMAGED = "Delete the checkpoint, or the thread, to be rid of it."


@dataclass(slots=True)
class _Draft:
    """What a put is going to store: the values, and the bodies they are the first to refer to."""

    values: list[tuple[str, bytes]]
    frames: list[bytes]
    bodies: list[tuple[bytes, Body]]
    seen: list[tuple[tuple[str, str], list[Any], list[int]]]
    by_digest: dict[bytes, int]


class Operations:
    """The operations of one saver.

    Args:
        space: the keys.
        codec: how values become bytes.
        ttl: how long a thread lives after it was last written to; ``None`` for ever.
        cache: what this client remembers.
    """

    def __init__(
        self, space: KeySpace, codec: Codec, ttl: timedelta | None, cache: SaverCache
    ) -> None:
        self._space = space
        self._codec = codec
        self._ttl_ms = 0 if ttl is None else max(1, int(ttl / timedelta(milliseconds=1)))
        self._cache = cache

    # --- writing ---

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Operation[RunnableConfig]:
        """Store a checkpoint: one round trip, two where another writer moved the log's epoch."""
        place = _rooted(place_of(config))
        thread = self._space.thread(place.thread_id)
        checkpoint_id = checked_id("checkpoint_id", checkpoint["id"])
        new_values = {
            channel: checkpoint["channel_values"][channel]
            for channel in new_versions
            if channel in checkpoint["channel_values"]
        }
        record = self._record(
            place, checkpoint, get_checkpoint_metadata(config, metadata), new_values
        )
        yield from self._warm(thread, place, new_values)
        while True:
            known_epoch, draft = self._draft(thread, place, new_values, new_versions)
            reply = yield scripts.put(
                thread,
                known_epoch=known_epoch,
                fresh_id=_fresh_id(),
                ttl_ms=self._ttl_ms,
                field=place.field(checkpoint_id),
                record=record,
                values=draft.values,
                bodies=[self._codec.seal(frame) for frame in draft.frames],
            )
            if reply[0] == b"ok":
                self._remember(thread, reply, draft)
                return _config(place, checkpoint_id)
            self._cache.forget(thread.root)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> Operation[None]:
        """Store the writes of one task: one round trip."""
        place = _rooted(place_of(config))
        if place.checkpoint_id is None:
            raise InputError("The config of the writes names no checkpoint_id.")
        with naming(f"In the thread {place.thread_id!r}"):
            batch = writes_batch(writes, task_id, task_path, self._codec)
        yield scripts.put_writes(
            self._space.thread(place.thread_id),
            ttl_ms=self._ttl_ms,
            field=place.field(place.checkpoint_id),
            batch=batch,
        )

    def _record(
        self,
        place: Place,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_values: Mapping[str, Any],
    ) -> bytes:
        run_id = metadata.get("run_id")
        header = Header(
            place.checkpoint_id,
            str(run_id) if run_id else None,
            checkpoint["channel_versions"],
            frozenset(new_values),
        )
        with naming(f"The metadata of a checkpoint of the thread {place.thread_id!r}"):
            return checkpoint_record(header, checkpoint, metadata, self._codec)

    def _warm(
        self, thread: ThreadKeys, place: Place, new_values: Mapping[str, Any]
    ) -> Operation[None]:
        """Learn what is stored already, where this client has not yet seen the thread."""
        if place.checkpoint_id is None or self._cache.known(thread.root)[0]:
            return
        if any(len(entries) > 1 for value in new_values.values() if (entries := _entries(value))):
            fields = [place.field(place.checkpoint_id)]
            try:
                yield from self._load(thread, place.namespace or "", fields)
            except RecordError:
                # An unreadable parent costs storing its messages once more, and nothing else.
                self._cache.forget(thread.root)

    def _draft(
        self,
        thread: ThreadKeys,
        place: Place,
        new_values: Mapping[str, Any],
        versions: ChannelVersions,
    ) -> tuple[str, _Draft]:
        def work(log: LogCache | None) -> tuple[str, _Draft]:
            draft = _Draft([], [], [], [], {})
            for channel, value in new_values.items():
                with naming(f"The channel {channel!r} of the thread {place.thread_id!r}"):
                    stored = self._value(log, draft, (place.namespace or "", channel), value)
                name = value_field(place.namespace or "", channel, versions[channel])
                draft.values.append((name, stored))
            refers = any(position < NEW for _, _, positions in draft.seen for position in positions)
            return (log.epoch if log is not None and refers else ""), draft

        return self._cache.use(thread.root, work)

    def _value(
        self, log: LogCache | None, draft: _Draft, channel: tuple[str, str], value: Any
    ) -> bytes:
        entries = _entries(value)
        if entries is None:
            return self._codec.dump(value)
        positions = self._positions(log, draft, channel, entries)
        spans = intervals(positions)
        if _is_fragmented(len(spans), _size(log, draft, positions)):
            positions = self._positions(None, draft, channel, entries)
            spans = intervals(positions)
        draft.seen.append((channel, entries, positions))
        return log_value(spans, is_delta=isinstance(value, _DeltaSnapshot))

    def _positions(
        self, log: LogCache | None, draft: _Draft, channel: tuple[str, str], entries: list[Any]
    ) -> list[int]:
        """Return where each entry is in the log, or `NEW` and on for those to be appended."""
        views = () if log is None else log.views(channel)
        positions: list[int] = []
        for entry in entries:
            position = None if log is None else log.locate(entry, views)
            if position is None:
                position = self._place(log, draft, entry)
            positions.append(position)
        return positions

    def _place(self, log: LogCache | None, draft: _Draft, entry: Any) -> int:
        frame = self._codec.encode(entry)
        key = digest(frame)
        position = draft.by_digest.get(key)
        if position is None and log is not None:
            position = log.position_of(key)
        if position is None:
            position = draft.by_digest[key] = NEW + len(draft.frames)
            draft.frames.append(frame)
            draft.bodies.append((key, Body.of(frame, self._codec)))
        return position

    def _remember(self, thread: ThreadKeys, reply: Sequence[Any], draft: _Draft) -> None:
        log_id, epoch, start = reply[1].decode(), reply[2].decode(), int(reply[3])
        if not epoch:
            return

        def work(log: LogCache) -> None:
            log.add(start, draft.bodies)
            for channel, entries, positions in draft.seen:
                actual = [p - NEW + start if p >= NEW else p for p in positions]
                log.see(channel, entries, actual)

        self._cache.update(thread.root, log_id, epoch, work)

    # --- reading ---

    def get_tuple(self, config: RunnableConfig) -> Operation[CheckpointTuple | None]:
        """Read one checkpoint: one round trip."""
        place = _rooted(place_of(config))
        thread = self._space.thread(place.thread_id)
        fields = [] if place.checkpoint_id is None else [place.field(place.checkpoint_id)]
        found = yield from self._load(thread, place.namespace or "", fields)
        return found[0] if found else None

    def history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Operation[Mapping[str, DeltaChannelHistory]]:
        """Read what the ancestors wrote to ``channels``: one round trip."""
        if not channels:
            return {}
        place = _rooted(place_of(config))
        thread = self._space.thread(place.thread_id)
        log_id, epoch, steps, runs = yield scripts.history(
            thread,
            namespace=encoded(place.namespace or ""),
            field="" if place.checkpoint_id is None else place.field(place.checkpoint_id),
            channels=[encoded(channel) for channel in channels],
        )
        bodies = self._bodies(thread, log_id.decode(), epoch.decode(), runs, place)
        return self._history(place, channels, steps, log_id.decode(), bodies)

    def _history(
        self,
        place: Place,
        channels: Sequence[str],
        steps: Sequence[Any],
        log_id: str,
        body: Callable[[int], Body | None],
    ) -> dict[str, DeltaChannelHistory]:
        newest_first: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
        seeds: dict[str, Any] = {}
        for field, batches, found in steps:
            with naming(_where(place.thread_id, field.decode())):
                for write in reversed(read_writes(batches, self._codec)):
                    if write[1] in newest_first and write[1] not in seeds:
                        newest_first[write[1]].append(write)
                for name, stored in zip(found[::2], found[1::2], strict=True):
                    seeds[decoded(name.decode())] = self._loaded(stored, log_id, body)[0]
        histories: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            entry: DeltaChannelHistory = {"writes": newest_first[channel][::-1]}
            if channel in seeds:
                entry["seed"] = seeds[channel]
            histories[channel] = entry
        return histories

    def _load(
        self, thread: ThreadKeys, namespace: str, fields: Sequence[str]
    ) -> Operation[list[CheckpointTuple]]:
        known_epoch, held = self._cache.known(thread.root)
        log_id, epoch, found, runs = yield scripts.load(
            thread,
            namespace=encoded(namespace),
            known_epoch=known_epoch,
            held=held,
            fields=fields,
        )
        place = Place(thread.thread_id, namespace, None)
        body = self._bodies(thread, log_id.decode(), epoch.decode(), runs, place)
        return [
            self._tuple(thread, field.decode(), record, values, batches, log_id.decode(), body)
            for field, record, values, batches in found
        ]

    def _bodies(
        self, thread: ThreadKeys, log_id: str, epoch: str, runs: Sequence[Any], place: Place
    ) -> Callable[[int], Body | None]:
        """Remember the bodies Redis sent, and return the way to any body that is known."""
        sent: dict[int, Body] = {}
        unreadable: dict[int, RecordError] = {}
        arrived: list[tuple[int, list[tuple[bytes, Body]]]] = []
        for first, stored in runs:
            start, run = int(first), list[tuple[bytes, Body]]()
            for position, sealed in enumerate(stored, start=start):
                try:
                    frame = self._codec.unseal(sealed)
                    body = Body.of(frame, self._codec)
                except RecordError as problem:
                    unreadable[position] = problem
                    arrived.append((start, run))
                    start, run = position + 1, []
                    continue
                sent[position] = body
                run.append((digest(frame), body))
            arrived.append((start, run))

        def work(log: LogCache) -> Callable[[int], Body | None]:
            for start, run in arrived:
                if run:
                    log.add(start, run)
            return log.body

        held = self._cache.update(thread.root, log_id, epoch, work) if epoch else sent.get

        def body_at(position: int) -> Body | None:
            if position in unreadable:
                raise unreadable[position]
            return sent.get(position) or held(position)

        return body_at

    def _tuple(
        self,
        thread: ThreadKeys,
        field: str,
        record: bytes,
        values: Sequence[bytes | None],
        batches: Sequence[bytes],
        log_id: str,
        body: Callable[[int], Body | None],
    ) -> CheckpointTuple:
        namespace = decoded(field.partition("/")[0])
        place = Place(thread.thread_id, namespace, None)
        with naming(_where(thread.thread_id, field)):
            header, checkpoint, metadata = read_checkpoint(record, self._codec)
            checkpoint["channel_values"] = self._values(
                thread, namespace, header, values, log_id, body
            )
            writes = read_writes(batches, self._codec)
        return CheckpointTuple(
            config=_config(place, checkpoint["id"]),
            checkpoint=checkpoint,  # type: ignore[arg-type]
            metadata=metadata,
            parent_config=None if header.parent_id is None else _config(place, header.parent_id),
            pending_writes=writes,
        )

    def _values(
        self,
        thread: ThreadKeys,
        namespace: str,
        header: Header,
        values: Sequence[bytes | None],
        log_id: str,
        body: Callable[[int], Body | None],
    ) -> dict[str, Any]:
        if len(values) != len(header.versions):
            raise RecordError("its header is damaged.", hint=_DAMAGED)
        loaded: dict[str, Any] = {}
        for channel, stored in zip(header.versions, values, strict=True):
            with naming(f"the channel {channel!r}"):
                if stored is None:
                    if channel in header.stored:
                        raise RecordError("its value is gone.", hint=_EVICTED)
                    continue
                value, entries, positions = self._loaded(stored, log_id, body)
            loaded[channel] = value
            if positions:
                self._cache.use(thread.root, _seeing((namespace, channel), entries, positions))
        return loaded

    def _loaded(
        self, stored: bytes, log_id: str, body: Callable[[int], Body | None]
    ) -> tuple[Any, list[Any], list[int]]:
        """Return a value and, where it is made of entries of the log, those and their positions."""
        refs = read_log_value(stored)
        if refs is None:
            return self._codec.load(stored), [], []
        if refs.log_id != log_id:
            raise RecordError("the log it refers to is gone.", hint=_EVICTED)
        positions = [position for first, stop in refs.spans for position in range(first, stop)]
        entries = []
        for position in positions:
            entry = body(position)
            if entry is None:
                raise RecordError(f"the log has no entry {position}.", hint=_EVICTED)
            entries.append(entry.fresh(self._codec))
        return (_DeltaSnapshot(entries) if refs.is_delta else entries), entries, positions

    # --- listing ---

    def find_threads(self) -> Operation[list[str]]:
        """Return every thread under the prefix. Searches the whole of Redis."""
        keys = yield FindKeys(self._space.pattern)
        return sorted(self._space.thread_id(key) for key in keys)

    def find(
        self,
        thread_id: str,
        namespace: str | None,
        checkpoint_id: str | None,
        before: str | None,
        limit: int | None,
    ) -> Operation[list[str]]:
        """Name the checkpoints of a thread that match, newest first."""
        thread = self._space.thread(thread_id)
        if namespace is not None:
            if checkpoint_id is not None:
                is_before = before is None or checkpoint_id < before
                place = Place(thread_id, namespace, checkpoint_id)
                return [place.field(checkpoint_id)] if is_before else []
            reply = yield scripts.fields(
                thread,
                namespace=encoded(namespace),
                before=encoded(before or ""),
                limit=-1 if limit is None else limit,
            )
            return [field.decode() for field in reply]
        reply = yield scripts.all_fields(thread)
        matching = [
            (decoded(name.partition("/")[2]), name) for name in (field.decode() for field in reply)
        ]
        ordered = sorted(matching, key=lambda pair: pair[0], reverse=True)
        return [
            name
            for found_id, name in ordered
            if (checkpoint_id is None or found_id == checkpoint_id)
            and (before is None or found_id < before)
        ][: None if limit is None else max(0, limit)]

    def page(
        self, thread_id: str, fields: Sequence[str], metadata: Mapping[str, Any] | None
    ) -> Operation[list[CheckpointTuple]]:
        """Read those of ``fields`` whose metadata match: one round trip, two with a filter."""
        thread = self._space.thread(thread_id)
        if metadata:
            records = yield scripts.records(thread, fields)
            fields = [
                field
                for field, record in zip(fields, records, strict=True)
                if record is not None and self._matches(thread_id, field, record, metadata)
            ]
        if not fields:
            return []
        return (yield from self._load(thread, "", fields))

    def _matches(
        self, thread_id: str, field: str, record: bytes, wanted: Mapping[str, Any]
    ) -> bool:
        with naming(_where(thread_id, field)):
            _, _, metadata = read_checkpoint(record, self._codec)
        return all(metadata.get(key) == value for key, value in wanted.items())

    # --- removing and copying ---

    def delete(self, thread_id: str) -> Operation[None]:
        """Remove a thread."""
        thread = self._space.thread(checked_id("thread_id", thread_id))
        yield scripts.delete(thread)
        self._cache.forget(thread.root)

    def delete_runs(self, run_ids: Iterable[str]) -> Operation[None]:
        """Remove the checkpoints that the runs made, in every thread."""
        wanted = {str(run_id) for run_id in run_ids}
        if not wanted:
            return
        for thread_id in (yield from self.find_threads()):
            thread = self._space.thread(thread_id)
            headers = yield from self._headers(thread)
            yield from self._remove(
                thread, [field for field, header in headers.items() if header.run_id in wanted]
            )

    def prune(self, thread_ids: Iterable[str], strategy: str) -> Operation[None]:
        """Remove threads, or all but what the latest checkpoints need."""
        if strategy not in ("keep_latest", "delete"):
            raise InputError(
                f"There is no pruning strategy {strategy!r}.",
                hint="Use 'keep_latest' or 'delete'.",
            )
        for thread_id in thread_ids:
            if strategy == "delete":
                yield from self.delete(thread_id)
                continue
            thread = self._space.thread(checked_id("thread_id", thread_id))
            headers = yield from self._headers(thread)
            kept = yield from self._needed(thread, headers)
            yield from self._remove(thread, [field for field in headers if field not in kept])

    def _headers(self, thread: ThreadKeys) -> Operation[dict[str, Header]]:
        reply = yield scripts.headers(thread)
        headers: dict[str, Header] = {}
        for name, line in zip(reply[::2], reply[1::2], strict=True):
            field = name.decode()
            with naming(_where(thread.thread_id, field)):
                headers[field] = Header.of(line)
        return headers

    def _needed(self, thread: ThreadKeys, headers: Mapping[str, Header]) -> Operation[set[str]]:
        """Return the latest checkpoint of each namespace, and the ancestors it is rebuilt from."""
        heads: dict[str, str] = {}
        for field in sorted(headers):
            heads[field.partition("/")[0]] = field
        needed = set(heads.values())
        if not needed:
            return needed
        fields = sorted(needed)
        records = yield scripts.records(thread, fields)
        for field, record in zip(fields, records, strict=True):
            if record is not None:
                needed |= self._delta_ancestors(thread, field, record, headers)
        return needed

    def _delta_ancestors(
        self, thread: ThreadKeys, field: str, record: bytes, headers: Mapping[str, Header]
    ) -> set[str]:
        """Return the ancestors back to where every delta channel has a stored snapshot."""
        with naming(_where(thread.thread_id, field)):
            header, _, metadata = read_checkpoint(record, self._codec)
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

    def _remove(self, thread: ThreadKeys, fields: Sequence[str]) -> Operation[None]:
        if fields:
            yield scripts.remove(thread, fresh_id=_fresh_id(), wanted=fields)
            self._cache.forget(thread.root)

    def copy(self, source_id: str, target_id: str) -> Operation[None]:
        """Copy a thread under another id."""
        source = self._space.thread(checked_id("source_thread_id", source_id))
        target = self._space.thread(checked_id("target_thread_id", target_id))
        if source == target:
            raise InputError(f"The thread {source_id!r} cannot be copied onto itself.")
        idx, *parts = yield scripts.export(source)
        if not idx:
            return
        is_first = True
        for part, entries in zip(("cp", "val", "log", "writes"), parts, strict=True):
            for chunk in _chunks(entries):
                reply = yield scripts.import_part(
                    target, ttl_ms=self._ttl_ms, part=part, is_first=is_first, entries=chunk
                )
                if reply == b"occupied":
                    raise InputError(
                        f"The thread {target_id!r} exists already.",
                        hint="Delete it first, or copy to another id.",
                    )
                is_first = False
        self._cache.forget(target.root)
        # Seen only now: a copy that was cut short leaves no thread behind.
        yield scripts.import_part(
            target, ttl_ms=self._ttl_ms, part="idx", is_first=False, entries=idx
        )


def next_version(current: object) -> str:
    """Return a version after ``current`` that no other branch of the thread uses."""
    number = 0
    if isinstance(current, int | float):
        number = int(current)
    elif isinstance(current, str):
        number = int(current.partition(".")[0])
    # Two forks of a checkpoint reach the same number with different values.
    return f"{number + 1:08d}.{random.getrandbits(48):012x}"


def _entries(value: Any) -> list[Any] | None:
    """Return the entries of a value that goes to the log, or ``None``."""
    if isinstance(value, _DeltaSnapshot):
        value = value.value
    # A copy: the graph may append to its list while this runs in another thread.
    return list(value) if is_logged(value) else None


def _size(log: LogCache | None, draft: _Draft, positions: Sequence[int]) -> int:
    total = 0
    for position in positions:
        if position >= NEW:
            total += len(draft.frames[position - NEW])
        elif log is not None and (body := log.body(position)) is not None:
            total += body.size
    return total


def _is_fragmented(n_intervals: int, size: int) -> bool:
    """Whether writing the bodies anew costs less than what the intervals have cost so far.

    With one edit a checkpoint, ``n`` intervals have cost ``n²/4`` entries of interval lists.
    """
    return n_intervals >= _FEW_INTERVALS and n_intervals**2 * _INTERVAL_BYTES / 4 > size


def _seeing(
    channel: tuple[str, str], entries: list[Any], positions: list[int]
) -> Callable[[LogCache | None], None]:
    def work(log: LogCache | None) -> None:
        if log is not None:
            log.see(channel, entries, positions)

    return work


def _chunks(entries: Sequence[bytes]) -> Iterable[list[bytes]]:
    """Split entries, in pairs, so that one command stays of moderate size."""
    chunk: list[bytes] = []
    size = 0
    for number in range(0, len(entries), 2):
        pair = entries[number : number + 2]
        chunk += pair
        size += sum(map(len, pair))
        if size > _IMPORT_BYTES or len(chunk) >= 10_000:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _rooted(place: Place) -> Place:
    return Place(place.thread_id, place.namespace or "", place.checkpoint_id)


def _config(place: Place, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": place.thread_id,
            "checkpoint_ns": place.namespace or "",
            "checkpoint_id": checkpoint_id,
        }
    }


def _where(thread_id: str, field: str) -> str:
    namespace, _, checkpoint_id = field.partition("/")
    graph = f" of the subgraph {decoded(namespace)!r}" if namespace else ""
    return f"Checkpoint {decoded(checkpoint_id)!r}{graph} of the thread {thread_id!r}"


def _fresh_id() -> str:
    return f"{random.getrandbits(64):016x}"


_EVICTED = (
    "Redis evicted a part of the thread: set maxmemory-policy to noeviction, and give the saver a "
    "ttl instead."
)
