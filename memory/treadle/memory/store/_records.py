"""How an item is written in Redis: ``<created> <updated> <ttl> <value>``.

The moments are microseconds since 1970, set by Redis; the time to live is in milliseconds, 0 for
ever; the value is a sealed frame of the codec, of msgpack that carries plain data only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ormsgpack
from langgraph.store.base import Item, SearchItem

from treadle.core.errors import InputError
from treadle.memory._codec import Codec, naming
from treadle.memory._keys import decoded
from treadle.memory._storage_errors import RecordError
from treadle.memory.store._keys import Namespace

# Sixteen digits reach the year 2286, and no further than a datetime does.
_HEADER = re.compile(rb"(\d{1,16}) (\d{1,16}) (\d{1,16}) ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLAIN = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


class PlainSerializer:
    """Msgpack of text, numbers, booleans, ``None``, lists and dicts with text as keys."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the type and bytes of ``obj``.

        Raises:
            InputError: it holds anything else.
        """
        try:
            return "msgpack", ormsgpack.packb(obj, option=_PLAIN)
        except (TypeError, ValueError) as problem:
            raise InputError(
                f"it cannot be stored: {problem}.",
                hint="Keep only text, numbers, lists and dicts with text as keys; write a date "
                "as its isoformat().",
            ) from problem

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Rebuild what `dumps_typed` made.

        Raises:
            RecordError: the record is of another type or damaged.
        """
        kind, encoded = data
        if kind != "msgpack":
            raise RecordError(f"it is of type {kind!r}, which is never read.")
        try:
            # Without a hook for them, msgpack's extension types are refused.
            return ormsgpack.unpackb(encoded)
        except (TypeError, ValueError) as problem:
            raise RecordError(f"it is damaged: {problem}.") from problem


@dataclass(frozen=True, slots=True)
class Record:
    """An item as it stands in Redis.

    Attributes:
        item: what the caller sees.
        ttl_ms: its time to live in milliseconds, 0 for ever.
    """

    item: Item
    ttl_ms: int

    def scored(self, score: float | None) -> SearchItem:
        """Return the item as a search gives it."""
        item = self.item
        return SearchItem(
            item.namespace, item.key, item.value, item.created_at, item.updated_at, score
        )


def pack_value(namespace: Namespace, key: str, value: Mapping[str, Any], codec: Codec) -> bytes:
    """Return what is stored of the value of an item.

    Raises:
        InputError: it is no mapping, or holds something that is not plain data.
    """
    with naming(f"The value of {place(namespace, key)}"):
        if not isinstance(value, Mapping):
            raise InputError(f"it is a {type(value).__name__}, not a mapping.")
        return codec.dump(dict(value))


def unpack(namespace: Namespace, key: bytes, data: bytes, codec: Codec) -> Record:
    """Return the item that a record holds.

    Raises:
        RecordError: the record is damaged or forged; the message names the item.
    """
    name = decoded(key.decode())
    with naming(f"{place(namespace, name)} cannot be read"):
        header = _HEADER.match(data)
        if header is None:
            raise RecordError("it is damaged.", hint="Delete it, or write it again.")
        created, updated, ttl_ms = map(int, header.groups())
        value = codec.load(data[header.end() :])
        if not isinstance(value, dict):
            raise RecordError(f"it holds a {type(value).__name__}, not a dict.")
    item = Item(
        value=value,
        key=name,
        namespace=namespace,
        created_at=_moment(created),
        updated_at=_moment(updated),
    )
    return Record(item, ttl_ms)


def microseconds(moment: datetime) -> int:
    """Return a moment as a record writes it."""
    return (moment - _EPOCH) // _MICROSECOND


def place(namespace: Namespace, key: str) -> str:
    """Return how messages name an item."""
    return f"The item {key[:80]!r} in {'.'.join(namespace)[:120]!r}"


def _moment(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND
