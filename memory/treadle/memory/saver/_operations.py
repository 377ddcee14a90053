"""What a turn of a graph does with its thread, apart from how it talks to Redis.

Each operation is a generator: it yields a `Request`, is sent the reply, and returns its result.
The synchronous and the asynchronous face drive the same generators.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_metadata,
)

from treadle.memory._storage_errors import RecordError
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._batch import Batch, new_values
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._drafts import entries_of
from treadle.memory.saver._keys import Place, ThreadKeys, encoded
from treadle.memory.saver._reading import Reading, config_of


def put(
    context: Context,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> Operation[RunnableConfig]:
    """Store a checkpoint: one round trip, and another where the log's epoch has moved."""
    thread, place = context.located(config)
    yield from warm(context, thread, place, new_values(checkpoint, new_versions))
    batch = Batch(context, thread, place.fence)
    batch.put(place, checkpoint, get_checkpoint_metadata(config, metadata), new_versions)
    yield from batch.store()
    return config_of(thread, place.root_namespace, checkpoint["id"])


def put_writes(
    context: Context,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> Operation[None]:
    """Store the writes of one task: one round trip."""
    thread, place = context.located(config)
    batch = Batch(context, thread, place.fence)
    batch.put_writes(place, writes, task_id, task_path)
    yield from batch.store()


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


def warm(
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
