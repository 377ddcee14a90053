"""Making checkpoints of what a script replied."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory, PendingWrite
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from treadle.memory._codec import Codec, naming
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver._bodies import Body, digest
from treadle.memory.saver._cache import ChannelName, Known, LogCache, SaverCache, Seen
from treadle.memory.saver._collection import collection_postponed
from treadle.memory.saver._columns import Columns
from treadle.memory.saver._intervals import Interval
from treadle.memory.saver._keys import ThreadKeys, decoded
from treadle.memory.saver._records import (
    Header,
    LogValue,
    read_checkpoint,
    read_log_value,
    read_writes,
)

_EVICTED = (
    "Redis may have evicted a part of the thread: set maxmemory-policy to noeviction, and give "
    "the saver a ttl instead."
)


class Reading:
    """One reply of the scripts that read, with the bodies it came with.

    Args:
        thread: the thread it is about.
        codec: how bytes become values.
        cache: where the bodies are remembered.
        log_id: the log of the thread, and its ``epoch``; both empty where there is none.
        runs: ``[[first position, [body...]]...]``.
        known: what the request told Redis not to send.
    """

    def __init__(
        self,
        thread: ThreadKeys,
        codec: Codec,
        cache: SaverCache,
        *,
        log_id: bytes,
        epoch: bytes,
        runs: Sequence[Any],
        known: Known | None = None,
    ) -> None:
        self._thread = thread
        self._codec = codec
        self._cache = cache
        self._log_id = log_id.decode()
        self._epoch = epoch.decode()
        self._bodies: dict[int, Body] = {}
        self._unreadable: dict[int, RecordError] = {}
        is_known = known is not None and known.epoch == self._epoch
        self._held = known.body if known is not None and is_known else self._bodies.get
        if epoch:
            with collection_postponed():
                arrived = [self._run(int(first), stored) for first, stored in runs]
            cache.update(thread.root, self._log_id, self._epoch, lambda log: _add(log, arrived))

    def _run(self, first: int, stored: Sequence[bytes]) -> dict[int, tuple[bytes, Body]]:
        run: dict[int, tuple[bytes, Body]] = {}
        for position, sealed in enumerate(stored, start=first):
            try:
                frame = self._codec.unseal(sealed)
                body = Body.of(frame, self._codec)
            except RecordError as problem:
                self._unreadable[position] = problem
            else:
                run[position] = digest(frame), body
                self._bodies[position] = body
        return run

    def checkpoint(
        self,
        field: str,
        record: bytes,
        values: Sequence[bytes | None],
        batches: Sequence[bytes],
    ) -> CheckpointTuple:
        """Return a checkpoint.

        Raises:
            RecordError: a part of it is damaged, gone or not allowed; the message says which.
        """
        namespace = decoded(field.partition("/")[0])
        with naming(where(self._thread, field)):
            header, checkpoint, metadata = read_checkpoint(record, self._codec)
            checkpoint["channel_values"] = self._values(namespace, header, values)
            writes = read_writes(batches, self._codec)
        parent_id = header.parent_id
        return CheckpointTuple(
            config=config_of(self._thread, namespace, checkpoint["id"]),
            checkpoint=checkpoint,
            metadata=metadata,
            parent_config=parent_id and config_of(self._thread, namespace, parent_id),  # type: ignore[arg-type]
            pending_writes=writes,
        )

    def _values(
        self, namespace: str, header: Header, values: Sequence[bytes | None]
    ) -> dict[str, Any]:
        if len(values) != len(header.versions):
            raise RecordError("its header is damaged.")
        loaded: dict[str, Any] = {}
        for channel, stored in zip(header.versions, values, strict=True):
            with naming(f"the channel {channel!r}"):
                if stored is not None:
                    loaded[channel] = self._value(stored, (namespace, channel))
                elif channel in header.stored:
                    raise RecordError("its value is gone.", hint=_EVICTED)
        return loaded

    def _value(self, stored: bytes, channel: ChannelName | None = None) -> Any:
        """Return a value; remember what the channel holds, if one is named."""
        refs = read_log_value(stored)
        if refs is None:
            return self._codec.load(stored)
        columns = self._columns(refs, channel)
        entries = columns.copies(self._codec)
        if channel is not None:
            self._cache.use(self._thread.root, self._seeing(channel, refs.spans, columns))
        return _DeltaSnapshot(entries) if refs.is_delta else entries

    def _columns(self, refs: LogValue, channel: ChannelName | None) -> Columns:
        seen = None
        if channel is not None and refs.log_id == self._log_id:
            seen = self._cache.use(self._thread.root, self._seen_of(channel))
            if seen is not None and seen.spans == refs.spans:
                return seen.columns
        return Columns(self.bodies(refs), None if seen is None else seen.columns)

    def bodies(self, refs: LogValue) -> list[Body]:
        """Return the bodies that are referred to.

        Raises:
            RecordError: one is gone, damaged or not allowed.
        """
        if refs.log_id != self._log_id:
            raise RecordError("the log it refers to is gone.", hint=_EVICTED)
        bodies: list[Body] = []
        for first, stop in refs.spans:
            self._body(stop - 1)  # a forged interval may be of any length
            bodies += [self._held(n) or self._body(n) for n in range(first, stop)]
        return bodies

    def _body(self, position: int) -> Body:
        body = self._bodies.get(position) or self._held(position)
        if body is not None:
            return body
        if position in self._unreadable:
            with naming(f"entry {position} of the log"):
                raise self._unreadable[position]
        raise RecordError(f"the log has no entry {position}.", hint=_EVICTED)

    def _seen_of(self, channel: ChannelName) -> Callable[[LogCache | None], Seen | None]:
        def work(log: LogCache | None) -> Seen | None:
            return None if log is None or log.epoch != self._epoch else log.seen(channel)

        return work

    def _seeing(
        self, channel: ChannelName, spans: Sequence[Interval], columns: Columns
    ) -> Callable[[LogCache | None], None]:
        def work(log: LogCache | None) -> None:
            if log is not None and log.epoch == self._epoch:
                log.see(channel, spans, columns)

        return work

    def histories(
        self, steps: Sequence[Any], channels: Sequence[str]
    ) -> dict[str, DeltaChannelHistory]:
        """Return what the ancestors in ``steps``, nearest first, wrote to ``channels``.

        Raises:
            RecordError: a part of an ancestor is damaged, gone or not allowed.
        """
        newest_first: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
        seeds: dict[str, Any] = {}
        for field, batches, found in steps:
            with naming(where(self._thread, field.decode())):
                for write in reversed(read_writes(batches, self._codec)):
                    if write[1] in newest_first and write[1] not in seeds:
                        newest_first[write[1]].append(write)
                for name, stored in zip(found[::2], found[1::2], strict=True):
                    seeds[decoded(name.decode())] = self._value(stored)
        histories: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            histories[channel] = {"writes": newest_first[channel][::-1]}
            if channel in seeds:
                histories[channel]["seed"] = seeds[channel]
        return histories


def _add(log: LogCache, arrived: Sequence[dict[int, tuple[bytes, Body]]]) -> None:
    for run in arrived:
        for first, bodies in _contiguous(run):
            log.add(first, bodies)


def _contiguous(
    run: dict[int, tuple[bytes, Body]],
) -> list[tuple[int, list[tuple[bytes, Body]]]]:
    """Split a run where unreadable bodies are missing from it."""
    parts: list[tuple[int, list[tuple[bytes, Body]]]] = []
    for position, entry in run.items():
        if parts and parts[-1][0] + len(parts[-1][1]) == position:
            parts[-1][1].append(entry)
        else:
            parts.append((position, [entry]))
    return parts


def config_of(thread: ThreadKeys, namespace: str, checkpoint_id: str) -> RunnableConfig:
    """Return the config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread.thread_id,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def where(thread: ThreadKeys, field: str) -> str:
    """Return words for a checkpoint, for a message."""
    namespace, _, checkpoint_id = field.partition("/")
    graph = f" of the subgraph {decoded(namespace)!r}" if namespace else ""
    return f"Checkpoint {decoded(checkpoint_id)!r}{graph} of the thread {thread.thread_id!r}"
