"""Checkpoints and pending writes of a thread that are stored together, by one script."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from treadle.core.errors import InputError
from treadle.memory._codec import naming
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._cache import ChannelName, LogCache
from treadle.memory.saver._columns import Columns
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._drafts import Draft
from treadle.memory.saver._fence import refusal
from treadle.memory.saver._keys import Place, ThreadKeys, checked_id
from treadle.memory.saver._records import Header, checkpoint_record, value_field, writes_batch


@dataclass(frozen=True, slots=True)
class _Value:
    """A value as it was given: its bytes, or what goes to the log entry by entry."""

    channel: ChannelName
    field: str
    stored: bytes
    columns: Columns | None = None
    is_delta: bool = False

    def again(self, draft: Draft) -> "_Value":
        """Return it as another draft has it, which may place its entries elsewhere."""
        if self.columns is None:
            return self
        entries: Any = self.columns.copies(draft.codec)
        value = _DeltaSnapshot(entries) if self.is_delta else entries
        return _Value(self.channel, self.field, *draft.value(self.channel, value), self.is_delta)


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    field: str
    record: bytes
    values: Sequence[_Value]

    def again(self, draft: Draft) -> "_Checkpoint":
        return _Checkpoint(self.field, self.record, [one.again(draft) for one in self.values])

    @property
    def item(self) -> tuple[str | bytes | int, ...]:
        values = [(one.field, one.stored) for one in self.values]
        return scripts.checkpoint_item(self.field, self.record, values)


@dataclass(frozen=True, slots=True)
class _Writes:
    field: str
    batch: bytes

    def again(self, _: Draft) -> "_Writes":
        return self

    @property
    def item(self) -> tuple[str | bytes | int, ...]:
        return scripts.writes_item(self.field, self.batch)


class Batch:
    """What is stored of a thread together, in the order it was given.

    Everything is bytes when it has been given: what a graph changes later is not in it.

    Args:
        context: what the operations of the saver work with.
        thread: the keys of the thread.
        fence: the token of the attempt it comes from, ``""`` for none.

    Attributes:
        context: as given.
        latest: the lists that channels were given last, as the graph holds them.
    """

    def __init__(self, context: Context, thread: ThreadKeys, fence: str) -> None:
        self.context = context
        self._thread = thread
        self._fence = fence
        self._items: list[_Checkpoint | _Writes] = []
        self._begin()
        self.latest: dict[ChannelName, list[Any]] = {}

    def _begin(self) -> None:
        """Begin to draft, with what is known of the thread's log."""

        def work(log: LogCache | None) -> None:
            self._draft = Draft(self.context.codec, log)
            self._epoch = "" if log is None else log.epoch

        self.context.cache.use(self._thread.root, work)

    def __len__(self) -> int:
        return len(self._items)

    def put(
        self,
        place: Place,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> None:
        """Add a checkpoint.

        Args:
            place: where it goes; it names the parent.
            checkpoint: the checkpoint.
            metadata: all of its metadata.
            new_versions: the channels whose values changed, with their versions.

        Raises:
            InputError: an id cannot be used, or a value cannot be serialised.
        """
        checkpoint_id = checked_id("checkpoint_id", checkpoint["id"])
        values = new_values(checkpoint, new_versions)
        record = self._record(place, checkpoint, metadata, values)

        def work(_: LogCache | None) -> list[_Value]:
            return [
                self._value((place.root_namespace, name), value, new_versions[name])
                for name, value in values.items()
            ]

        drafted = self.context.cache.use(self._thread.root, work)
        self._items.append(_Checkpoint(place.field(checkpoint_id), record, drafted))

    def put_writes(
        self, place: Place, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        """Add the writes of one task to the checkpoint that the place names.

        Raises:
            InputError: it names none, or a value cannot be serialised.
        """
        if place.checkpoint_id is None:
            raise InputError("The config of the writes names no checkpoint_id.")
        with naming(f"In the thread {place.thread_id!r}"):
            batch = writes_batch(writes, task_id, task_path, self.context.codec)
        self._items.append(_Writes(place.field(place.checkpoint_id), batch))

    def store(self) -> Operation[None]:
        """Store it: one round trip, and another where the log's epoch has moved.

        Raises:
            FencedError: another attempt has taken the thread over.
        """
        while True:
            reply = yield scripts.store(
                self._thread,
                fence=self._fence,
                known_epoch=self._epoch if self._draft.refers else "",
                fresh_id=fresh_id(),
                ttl_ms=self.context.ttl_ms,
                items=[part for one in self._items for part in one.item],
                bodies=[self.context.codec.seal(frame) for frame in self._draft.frames],
            )
            if reply[0] == b"ok":
                self._remember(*reply[1:])
                return
            if reply[0] == b"fenced":
                raise refusal(self._thread.thread_id, self._fence, reply[1])
            self.context.cache.forget(self._thread.root)
            self._begin()
            self._items = [one.again(self._draft) for one in self._items]

    def _record(
        self,
        place: Place,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        values: Mapping[str, Any],
    ) -> bytes:
        run_id = metadata.get("run_id")
        header = Header(
            place.checkpoint_id,
            str(run_id) if run_id else None,
            checkpoint["channel_versions"],
            frozenset(values),
        )
        with naming(f"The metadata of a checkpoint of the thread {place.thread_id!r}"):
            return checkpoint_record(header, checkpoint, metadata, self.context.codec)

    def _value(self, channel: ChannelName, value: Any, version: Any) -> _Value:
        field = value_field(*channel, version)
        self.latest.pop(channel, None)
        with naming(f"The channel {channel[1]!r} of the thread {self._thread.thread_id!r}"):
            stored, columns = self._draft.value(channel, value)
        if columns is not None and type(value) is list:
            self.latest[channel] = value
        return _Value(channel, field, stored, columns, isinstance(value, _DeltaSnapshot))

    def _remember(self, log_id: bytes, epoch: bytes, start: int) -> None:
        if epoch:
            self.context.cache.update(
                self._thread.root,
                log_id.decode(),
                epoch.decode(),
                lambda log: self._draft.stored(log, int(start)),
            )


def new_values(checkpoint: Checkpoint, new_versions: ChannelVersions) -> dict[str, Any]:
    """Return the values that changed, by their channels."""
    held = checkpoint["channel_values"]
    return {name: held[name] for name in new_versions if name in held}


def fresh_id() -> str:
    """Return an id for a log or an epoch of it."""
    return f"{secrets.randbits(64):016x}"
