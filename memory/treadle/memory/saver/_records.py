"""The records of a checkpoint, its values and its pending writes, as they are stored.

A checkpoint record is one readable line and the sealed rest::

    <parent id or -> <run id or -> messages=s00000003.1f2e... branch%3Ato%3Anode!s00000004....\\n
    msgpack\\n<checkpoint and metadata>

``=`` marks a channel whose value was stored with this checkpoint, ``!`` one whose value, if it has
one, was stored with an earlier checkpoint.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ormsgpack
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    PendingWrite,
    writes_sort_key,
)

from treadle.core.errors import InputError
from treadle.memory._codec import Codec, naming
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver._intervals import Interval, formatted, parsed
from treadle.memory.saver._keys import decoded, encoded

LOG = "@log"
DELTA_LOG = "@log-delta"
_NONE = "-"
Version = int | float | str


@dataclass(frozen=True, slots=True)
class Header:
    """The readable line of a checkpoint record.

    Attributes:
        versions: the version of each channel.
        stored: the channels whose value was stored with this checkpoint.
    """

    parent_id: str | None
    run_id: str | None
    versions: Mapping[str, Version]
    stored: frozenset[str] = field(default_factory=frozenset)

    def line(self) -> str:
        """Return the header as text."""
        channels = [
            f"{encoded(name)}{'=' if name in self.stored else '!'}{_version_text(version)}"
            for name, version in self.versions.items()
        ]
        parent = encoded(self.parent_id) if self.parent_id else _NONE
        run = encoded(self.run_id) if self.run_id else _NONE
        return " ".join([parent, run, *channels])

    @classmethod
    def of(cls, line: bytes) -> "Header":
        """Return the header in a line.

        Raises:
            RecordError: it is not a header.
        """
        try:
            parent, run, *channels = line.decode("ascii").split(" ")
            versions: dict[str, Version] = {}
            stored: set[str] = set()
            for channel in channels:
                is_stored = "=" in channel
                name, _, version = channel.partition("=" if is_stored else "!")
                versions[decoded(name)] = _version_of(version)
                if is_stored:
                    stored.add(decoded(name))
        except ValueError as problem:
            raise RecordError(f"its header is damaged: {problem}.") from problem
        return cls(
            None if parent == _NONE else decoded(parent),
            None if run == _NONE else decoded(run),
            versions,
            frozenset(stored),
        )


def value_field(namespace: str, channel: str, version: Version) -> str:
    """Return where the value of a channel is stored inside the thread's hash of values."""
    return f"{encoded(namespace)}/{encoded(channel)}/{_version_text(version)}"


def _version_text(version: Version) -> str:
    if isinstance(version, str):
        return f"s{encoded(version)}"
    return f"{'i' if isinstance(version, int) else 'f'}{version!r}"


def _version_of(text: str) -> Version:
    kind, rest = text[:1], text[1:]
    if kind == "s":
        return decoded(rest)
    if kind == "i":
        return int(rest)
    if kind == "f":
        return float(rest)
    raise ValueError(f"{text!r} is not a version")


def checkpoint_record(
    header: Header, checkpoint: Checkpoint, metadata: CheckpointMetadata, codec: Codec
) -> bytes:
    """Return the record of a checkpoint, without its values."""
    rest = {
        key: value
        for key, value in checkpoint.items()
        if key not in ("channel_values", "channel_versions")
    }
    return header.line().encode() + b"\n" + codec.dump([rest, metadata])


def read_checkpoint(record: bytes, codec: Codec) -> tuple[Header, Checkpoint, CheckpointMetadata]:
    """Return the header, the checkpoint without its values, and the metadata of a record.

    Raises:
        RecordError: it is damaged or not allowed.
    """
    line, _, rest = record.partition(b"\n")
    header = Header.of(line)
    content = codec.load(rest)
    if not (
        isinstance(content, list)
        and len(content) == 2
        and isinstance(content[0], dict)
        and isinstance(content[1], dict)
        and isinstance(content[0].get("id"), str)
    ):
        raise RecordError("it does not hold a checkpoint.")
    content[0]["channel_versions"] = dict(header.versions)
    return header, content[0], content[1]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class LogValue:
    """A value whose entries are in the log.

    Attributes:
        is_delta: whether it is the snapshot of a ``DeltaChannel``.
        log_id: the log they are in.
        spans: where.
    """

    is_delta: bool
    log_id: str
    spans: tuple[Interval, ...]

    @classmethod
    def of(cls, refs: str, *, is_delta: bool = False) -> "LogValue":
        """Return what ``<log id> <interval list>`` refers to.

        Raises:
            ValueError: it is no interval list.
        """
        log_id, _, spans = refs.partition(" ")
        return cls(is_delta, log_id, tuple(parsed(spans)))


def log_value(spans: Sequence[Interval], *, is_delta: bool) -> bytes:
    """Return a value that refers to the log; the script that stores it adds the log's id."""
    return f"{DELTA_LOG if is_delta else LOG}\n{formatted(spans)}".encode()


def read_log_value(stored: bytes) -> LogValue | None:
    """Return the references in a stored value, or ``None`` when it stands for itself.

    Raises:
        RecordError: the references are damaged.
    """
    if not stored.startswith(LOG.encode()):
        return None
    try:
        kind, _, refs = stored.decode("ascii").partition("\n")
        if kind not in (LOG, DELTA_LOG):
            raise ValueError(f"{kind!r} is not a kind of value")
        return LogValue.of(refs, is_delta=kind == DELTA_LOG)
    except ValueError as problem:
        raise RecordError(f"its references to the log are damaged: {problem}.") from problem


def writes_batch(
    writes: Iterable[tuple[str, Any]], task_id: str, task_path: str, codec: Codec
) -> bytes:
    """Return the record of the writes of one task.

    Raises:
        InputError: a value cannot be serialised; the message names its channel.
    """
    entries: list[tuple[int, str, bytes]] = []
    for number, (channel, value) in enumerate(writes):
        with naming(f"The write of task {task_id!r} to the channel {channel!r}"):
            entries.append((WRITES_IDX_MAP.get(channel, number), channel, codec.dump(value)))
    try:
        return ormsgpack.packb([task_id, task_path, entries])
    except ormsgpack.MsgpackEncodeError as problem:
        raise InputError(f"The task {task_id!a} cannot be stored: {problem}.") from problem


def read_writes(batches: Iterable[bytes], codec: Codec) -> list[PendingWrite]:
    """Return the pending writes of a checkpoint in the order a live run applies them.

    The first write of a task under an index stands, except that errors, interrupts and resume
    values, whose index is negative, are replaced by later ones.

    Raises:
        RecordError: a batch is damaged or not allowed.
    """
    stored: dict[tuple[str, int], tuple[str, str, bytes]] = {}
    for batch in batches:
        task_id, task_path, entries = _read_batch(batch)
        for index, channel, sealed in entries:
            key = (task_id, index)
            if index < 0 or key not in stored:
                stored[key] = (task_path, channel, sealed)
    order = sorted(stored, key=lambda key: writes_sort_key(stored[key][0], *key))
    writes: list[PendingWrite] = []
    for task_id, index in order:
        _, channel, sealed = stored[task_id, index]
        with naming(f"the write of task {task_id!r} to the channel {channel!r}"):
            writes.append((task_id, channel, codec.load(sealed)))
    return writes


def _read_batch(batch: bytes) -> tuple[str, str, list[tuple[int, str, bytes]]]:
    try:
        task_id, task_path, entries = ormsgpack.unpackb(batch)
        checked = [(int(index), str(channel), bytes(sealed)) for index, channel, sealed in entries]
    except (ValueError, TypeError) as problem:
        raise RecordError(f"a batch of writes is damaged: {problem}.") from problem
    return str(task_id), str(task_path), checked
