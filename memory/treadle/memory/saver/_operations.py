"""What a turn of a graph does with its thread, apart from how it talks to Redis.

Each operation is a generator: it yields a `Request`, is sent the reply, and returns its result.
The synchronous and the asynchronous face drive the same generators.
"""

import secrets
from collections.abc import Generator, Mapping, Sequence
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
    get_checkpoint_metadata,
)

from treadle.core.errors import InputError
from treadle.memory._codec import Codec, naming
from treadle.memory._lua import Request
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._behind import current
from treadle.memory.saver._cache import LogCache, SaverCache
from treadle.memory.saver._drafts import Draft, entries_of
from treadle.memory.saver._fence import refusal
from treadle.memory.saver._keys import KeySpace, Place, ThreadKeys, checked_id, encoded, place_of
from treadle.memory.saver._reading import Reading, config_of
from treadle.memory.saver._records import Header, checkpoint_record, value_field, writes_batch

T = TypeVar("T")
Operation = Generator[Request, Any, T]


@dataclass(frozen=True, slots=True)
class Context:
    """What every operation of a saver works with.

    Attributes:
        space: the keys.
        codec: how values become bytes.
        ttl: how long a thread lives after it was last written to; ``None`` for ever.
        cache: what this client remembers.
    """

    space: KeySpace
    codec: Codec
    ttl: timedelta | None
    cache: SaverCache

    @property
    def ttl_ms(self) -> int:
        """The time to live in milliseconds, 0 for ever."""
        return 0 if self.ttl is None else max(1, int(self.ttl / timedelta(milliseconds=1)))

    def located(self, config: RunnableConfig) -> tuple[ThreadKeys, Place]:
        """Return the keys of the thread that ``config`` names, and the place in it.

        Raises:
            InputError: an id cannot be used.
        """
        place = place_of(config)
        return self.space.thread(place.thread_id), place


def placed(context: Context, config: RunnableConfig, checkpoint: Checkpoint) -> RunnableConfig:
    """Return the config that names a checkpoint."""
    thread, place = context.located(config)
    return config_of(thread, place.root_namespace, checked_id("checkpoint_id", checkpoint["id"]))


def put(
    context: Context,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> Operation[RunnableConfig]:
    """Store a checkpoint: one round trip, and another where the log's epoch has moved."""
    thread, place = context.located(config)
    checkpoint_id = checked_id("checkpoint_id", checkpoint["id"])
    held = checkpoint["channel_values"]
    new_values = {name: held[name] for name in new_versions if name in held}
    record = _record(
        context, place, checkpoint, get_checkpoint_metadata(config, metadata), new_values
    )
    yield from _warm(context, thread, place, new_values)
    while True:
        epoch, draft, values = _draft(context, thread, place, new_values, new_versions)
        reply = yield scripts.put(
            thread,
            fence=place.fence,
            known_epoch=epoch,
            fresh_id=fresh_id(),
            ttl_ms=context.ttl_ms,
            field=place.field(checkpoint_id),
            record=record,
            values=values,
            bodies=[context.codec.seal(frame) for frame in draft.frames],
        )
        if reply[0] == b"ok":
            _remember(context, thread, draft, reply)
            _note(context, thread, place, new_values)
            return config_of(thread, place.root_namespace, checkpoint_id)
        if reply[0] == b"fenced":
            raise refusal(place, reply[1])
        context.cache.forget(thread.root)


def put_writes(
    context: Context,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> Operation[None]:
    """Store the writes of one task: one round trip."""
    thread, place = context.located(config)
    if place.checkpoint_id is None:
        raise InputError("The config of the writes names no checkpoint_id.")
    with naming(f"In the thread {place.thread_id!r}"):
        batch = writes_batch(writes, task_id, task_path, context.codec)
    reply = yield scripts.put_writes(
        thread,
        fence=place.fence,
        ttl_ms=context.ttl_ms,
        field=place.field(place.checkpoint_id),
        batch=batch,
    )
    if reply[0] == b"fenced":
        raise refusal(place, reply[1])


def get_tuple(context: Context, config: RunnableConfig) -> Operation[CheckpointTuple | None]:
    """Read one checkpoint: one round trip."""
    thread, place = context.located(config)
    fields = [] if place.checkpoint_id is None else [place.field(place.checkpoint_id)]
    found = yield from load(context, thread, fields, place.root_namespace)
    return found[0] if found else None


def history(
    context: Context, config: RunnableConfig, channels: Sequence[str]
) -> Operation[Mapping[str, DeltaChannelHistory]]:
    """Read what the ancestors of a checkpoint wrote to ``channels``: one round trip."""
    if not channels:
        return {}
    thread, place = context.located(config)
    log_id, epoch, steps, runs = yield scripts.history(
        thread,
        namespace=encoded(place.root_namespace),
        field="" if place.checkpoint_id is None else place.field(place.checkpoint_id),
        channels=[encoded(channel) for channel in channels],
    )
    reading = Reading(thread, context.codec, context.cache, log_id=log_id, epoch=epoch, runs=runs)
    return reading.histories(steps, channels)


def load(
    context: Context, thread: ThreadKeys, fields: Sequence[str], namespace: str = ""
) -> Operation[list[CheckpointTuple]]:
    """Read those of ``fields`` that exist; the latest of ``namespace`` where there is no field."""
    known = context.cache.known(thread.root)
    log_id, epoch, found, runs = yield scripts.load(
        thread,
        namespace=encoded(namespace),
        known_epoch=known.epoch,
        held=known.held,
        fields=fields,
    )
    reading = Reading(
        thread, context.codec, context.cache, log_id=log_id, epoch=epoch, runs=runs, known=known
    )
    return [reading.checkpoint(field.decode(), *parts) for field, *parts in found]


def next_version(current: object) -> str:
    """Return a version after ``current`` that no other branch of the thread uses."""
    number = 0
    if isinstance(current, int | float):
        number = int(current)
    elif isinstance(current, str):
        number = int(current.partition(".")[0])
    # Two forks of a checkpoint reach the same number with different values. Not from the random
    # module: programs seed it, and two of them would then agree.
    return f"{number + 1:08d}.{secrets.randbits(48):012x}"


def fresh_id() -> str:
    """Return an id for a log or an epoch of it."""
    return f"{secrets.randbits(64):016x}"


def _record(
    context: Context,
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
        return checkpoint_record(header, checkpoint, metadata, context.codec)


def _warm(
    context: Context, thread: ThreadKeys, place: Place, new_values: Mapping[str, Any]
) -> Operation[None]:
    """Learn what is stored already, where this client has not yet seen the thread."""
    if place.checkpoint_id is None or context.cache.known(thread.root).epoch:
        return
    if any(len(entries_of(value) or ()) > 1 for value in new_values.values()):
        try:
            yield from load(context, thread, [place.field(place.checkpoint_id)])
        except RecordError:
            # An unreadable parent costs storing its messages once more, and nothing else.
            context.cache.forget(thread.root)


def _draft(
    context: Context,
    thread: ThreadKeys,
    place: Place,
    new_values: Mapping[str, Any],
    versions: ChannelVersions,
) -> tuple[str, Draft, list[tuple[str, bytes]]]:
    namespace = place.root_namespace

    def work(log: LogCache | None) -> tuple[str, Draft, list[tuple[str, bytes]]]:
        draft = Draft(context.codec, log)
        values: list[tuple[str, bytes]] = []
        for channel, value in new_values.items():
            with naming(f"The channel {channel!r} of the thread {place.thread_id!r}"):
                stored = draft.value((namespace, channel), value)
            values.append((value_field(namespace, channel, versions[channel]), stored))
        return (log.epoch if log is not None and draft.refers else ""), draft, values

    return context.cache.use(thread.root, work)


def _remember(context: Context, thread: ThreadKeys, draft: Draft, reply: Sequence[Any]) -> None:
    log_id, epoch, start = reply[1].decode(), reply[2].decode(), int(reply[3])
    if epoch:
        context.cache.update(thread.root, log_id, epoch, lambda log: draft.stored(log, start))


def _note(
    context: Context, thread: ThreadKeys, place: Place, new_values: Mapping[str, Any]
) -> None:
    """Note as what the lists were kept, for the attempt that goes on with them."""
    behind = current()
    if behind is None:
        return

    def work(log: LogCache | None) -> None:
        for name, value in new_values.items():
            if log is not None and type(value) is list:
                channel = (place.root_namespace, name)
                behind.note((thread.root, channel), value, log.seen(channel).columns)

    context.cache.use(thread.root, work)
