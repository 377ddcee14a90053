"""What a batch does, apart from how it talks to Redis.

Each operation is a generator: it yields a `Request`, is sent the reply, and returns its result.
The synchronous and the asynchronous face drive the same generators.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from langgraph.store.base import (
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    validate_op_namespace,
)

from treadle.core.errors import InputError
from treadle.memory._codec import Codec
from treadle.memory._lua import Pipeline, Request, ScriptCall
from treadle.memory.store import _scripts as scripts
from treadle.memory.store._keys import Group, Namespace, StoreKeys, checked_key, checked_namespace
from treadle.memory.store._records import Record, pack_value, unpack
from treadle.memory.store._scripts import Expected, Write
from treadle.memory.store._vectors import Embedded, VectorIndex

T = TypeVar("T")
Operation = Generator[Request, Any, T]

CALLS_PER_TRIP = 100
WRITES_PER_CALL = 500
_MS_PER_MINUTE = 60_000
_LONGEST_TTL_MS = 10**13  # some 300 years


@dataclass(frozen=True, slots=True)
class Context:
    """What every operation of a store works with.

    Attributes:
        keys: the keys.
        codec: how values become bytes.
        index: how items are found by meaning, if they are.
    """

    keys: StoreKeys
    codec: Codec
    index: VectorIndex | None


@dataclass(slots=True)
class Plan:
    """The operations of one batch, checked and sorted; each with its place in the batch.

    Attributes:
        writes: what to write, by namespace and key; of several for one item the last.
        texts: the texts by which they are found, likewise.
    """

    gets: list[tuple[int, GetOp]] = field(default_factory=list)
    searches: list[tuple[int, SearchOp]] = field(default_factory=list)
    listings: list[tuple[int, ListNamespacesOp]] = field(default_factory=list)
    writes: dict[tuple[Namespace, str], Write] = field(default_factory=dict)
    texts: dict[tuple[Namespace, str], list[str]] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def of(cls, context: Context, ops: Iterable[Op]) -> "Plan":
        """Return the plan for ``ops``.

        Raises:
            InvalidNamespaceError: a label breaks LangGraph's rules.
            InputError: an operation cannot be done.
        """
        plan = cls()
        for number, op in enumerate(ops):
            plan.size += 1
            validate_op_namespace(op)
            if isinstance(op, GetOp):
                plan.gets.append((number, op))
            elif isinstance(op, SearchOp):
                plan.searches.append((number, op))
            elif isinstance(op, ListNamespacesOp):
                plan.listings.append((number, op))
            elif isinstance(op, PutOp):
                plan._add(context, op)
            else:
                raise InputError(f"A store does not know the operation {op!r:.200}.")
        return plan

    def _add(self, context: Context, op: PutOp) -> None:
        namespace = checked_namespace(op.namespace)
        _, path = context.keys.located(namespace)
        write = Write(path, checked_key(namespace, op.key))
        if op.value is not None:
            value = pack_value(namespace, op.key, op.value, context.codec)
            write = replace(write, ttl=str(_ttl_ms(op)), value=value)
        self.writes[namespace, op.key] = write
        self.texts[namespace, op.key] = context.index.texts_of(op) if context.index else []

    @property
    def all_texts(self) -> Iterator[str]:
        """Every text to embed."""
        return (text for texts in self.texts.values() for text in texts)

    @property
    def queries(self) -> Iterator[str]:
        """Every query to embed."""
        return (op.query for _, op in self.searches if op.query)


def get(context: Context, gets: Sequence[tuple[int, GetOp]]) -> Operation[dict[int, Record | None]]:
    """Read items: one round trip."""
    by_group: dict[Group, list[tuple[int, Namespace, str, tuple[str, str, bool]]]] = {}
    for number, op in gets:
        namespace = checked_namespace(op.namespace)
        group, path = context.keys.located(namespace)
        key = checked_key(namespace, op.key)
        entry = (number, namespace, key, (path, key, op.refresh_ttl))
        by_group.setdefault(group, []).append(entry)
    calls = [scripts.get(group, [e[-1] for e in wanted]) for group, wanted in by_group.items()]
    found: dict[int, Record | None] = {}
    replies = yield from together(calls)
    for wanted, records in zip(by_group.values(), replies, strict=True):
        for (number, namespace, key, _), data in zip(wanted, records, strict=True):
            known = None if data is None else unpack(namespace, key.encode(), data, context.codec)
            found[number] = known
    return found


def put(context: Context, plan: Plan, embedded: Embedded) -> Operation[None]:
    """Write items: one round trip, and three more where a group is new.

    All or nothing for up to `WRITES_PER_CALL` items of one group.
    """
    by_group: dict[Group, list[Write]] = {}
    for group, write in _vectored(context, plan, embedded):
        by_group.setdefault(group, []).append(write)
    calls = [
        (group, part)
        for group, writes in by_group.items()
        for part in chunks(writes, WRITES_PER_CALL)
    ]
    replies = yield from together([scripts.put(*call, is_listed=False) for call in calls])
    new = [call for call, reply in zip(calls, replies, strict=True) if reply == b"unlisted"]
    if new:
        names = [group.name for group, _ in new]
        again = [scripts.put(*call, is_listed=True) for call in new]
        yield scripts.list_groups(context.keys.directory, names)
        yield from together(again)
        # Someone who found the group empty may have taken it out in between.
        yield scripts.list_groups(context.keys.directory, names)


def put_together(
    context: Context, plan: Plan, embedded: Embedded, group: Group, expected: Expected
) -> Operation[bool]:
    """Write items of one group, all or nothing, unless an item is not as expected."""
    places = list(_vectored(context, plan, embedded))
    if any(other != group for other, _ in places):
        raise InputError(
            "The items to write together are not in one group of namespaces.",
            hint="Give namespaces that share their first two labels.",
        )
    writes = [write for _, write in places]
    reply = yield scripts.put(group, writes, is_listed=False, expected=expected)
    if reply == b"unlisted":
        names = [group.name]
        yield scripts.list_groups(context.keys.directory, names)
        reply = yield scripts.put(group, writes, is_listed=True, expected=expected)
        yield scripts.list_groups(context.keys.directory, names)
    return bool(reply == b"ok")


def _vectored(context: Context, plan: Plan, embedded: Embedded) -> Iterator[tuple[Group, Write]]:
    for (namespace, key), write in plan.writes.items():
        group, _ = context.keys.located(namespace)
        vectors = [embedded.texts[text] for text in plan.texts[namespace, key]]
        if vectors and context.index:
            packed = context.index.pack(vectors, context.codec)
            yield group, replace(write, vectors=packed)
        else:
            yield group, write


def together(calls: Sequence[ScriptCall]) -> Operation[list[Any]]:
    """Make calls in as few round trips as is wise, and return their replies."""
    if len(calls) == 1:
        return [(yield calls[0])]
    replies: list[Any] = []
    for part in chunks(calls, CALLS_PER_TRIP):
        replies += yield Pipeline(tuple(part))
    return replies


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Give ``items`` in lists of ``size``."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def in_order(size: int, *found: Mapping[int, Any]) -> list[Result]:
    """Return the results of a batch, each at the place of its operation."""
    results: list[Result] = [None] * size
    for part in found:
        for number, result in part.items():
            results[number] = result
    return results


def _ttl_ms(op: PutOp) -> int:
    if op.ttl is None:
        return 0
    is_number = isinstance(op.ttl, int | float) and not isinstance(op.ttl, bool)
    if not is_number or not 0 < op.ttl * _MS_PER_MINUTE < _LONGEST_TTL_MS:
        raise InputError(
            f"The ttl of the item {op.key!r} is {op.ttl!r}.",
            hint="Give minutes above 0, or None for ever.",
        )
    return max(1, round(op.ttl * _MS_PER_MINUTE))
