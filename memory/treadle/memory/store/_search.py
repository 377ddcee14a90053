"""Finding items: those written last, or those nearest to a query.

Without a query the lists of namespaces are read from the newest item on, a page at a time, until
enough items pass the filter. With one, the vectors of every item under the prefix are compared.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from langgraph.store.base import GetOp, SearchItem, SearchOp

from treadle.core.errors import InputError
from treadle.memory._keys import decoded
from treadle.memory._storage_errors import RecordError
from treadle.memory.store import _scripts as scripts
from treadle.memory.store._directory import groups_under
from treadle.memory.store._filters import checked_filter, matches
from treadle.memory.store._keys import GROUP_LABELS, Group, checked_prefix_of_namespaces
from treadle.memory.store._operations import Context, Operation, chunks, get, together
from treadle.memory.store._records import Record, unpack
from treadle.memory.store._vectors import Vector, cosines

_log = logging.getLogger("treadle.memory.store")
_PAGE = 500
_GROUPS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a search asks of each group.

    Attributes:
        path: where in the group.
        filter: what values must pass.
        count: how many items are enough.
        query: what to be near to, if anything.
    """

    path: str
    filter: Mapping[str, Any]
    count: int
    query: Vector | None


@dataclass(slots=True)
class _Scan:
    """The pages read of one group, and what was found in them."""

    group: Group
    wanted: _Wanted
    before: str = scripts.NEWEST
    is_done: bool = False
    growth: int = 1

    def next_page(self) -> Any:
        """Return the call that reads the next page."""
        is_filtered = bool(self.wanted.filter)
        is_near = self.wanted.query is not None
        return scripts.page(
            self.group,
            self.wanted.path,
            before=self.before,
            count=_PAGE if is_near else min(self.wanted.count * self.growth, _PAGE),
            records=is_filtered or not is_near,
            vectors=is_near,
        )

    def rows(self, reply: Sequence[Any], asked: int) -> Sequence[Any]:
        """Return the rows of a page, and remember where it ended."""
        passed, last, rows = reply[0], reply[1], list(reply[2])
        self.before = f"({last.decode()}"
        self.is_done = passed < asked
        self.growth *= 4  # a filter that lets little through is read on in ever larger pages
        return rows


def search(context: Context, op: SearchOp, query: Vector | None) -> Operation[list[SearchItem]]:
    """Find items under a prefix."""
    for name, number in (("limit", op.limit), ("offset", op.offset)):
        if not isinstance(number, int) or number < 0:
            raise InputError(f"The {name} of a search is {number!r}.", hint="Use 0 or more.")
    if not op.limit:
        return []
    prefix = checked_prefix_of_namespaces(op.namespace_prefix)
    wanted = _Wanted(
        context.keys.located(prefix)[1],
        checked_filter(op.filter),
        op.offset + op.limit,
        query,
    )
    groups = yield from groups_under(context, prefix)
    if query is not None:
        return (yield from _nearest(context, op, wanted, groups))
    if len(prefix) >= GROUP_LABELS and not wanted.filter and op.limit <= _PAGE:
        reply = yield scripts.page(groups[0], wanted.path, skip=op.offset, count=op.limit)
        records = [record for record, _ in _read(context, groups[0], reply[2])]
    else:
        found: list[Record] = []
        for part in chunks(groups, _GROUPS_AT_ONCE):
            found += yield from _newest(context, [_Scan(group, wanted) for group in part])
        found.sort(key=lambda record: record.item.updated_at, reverse=True)
        records = found[op.offset : wanted.count]
    if op.refresh_ttl:
        yield from _refresh(context, [record for record in records if record.ttl_ms])
    return [record.scored(None) for record in records]


def _newest(context: Context, scans: list[_Scan]) -> Operation[list[Record]]:
    """Read groups until each has given enough, or all it has."""
    found: list[Record] = []
    counts = dict.fromkeys((scan.group for scan in scans), 0)
    while scans:
        calls = [scan.next_page() for scan in scans]
        replies = yield from together(calls)
        for scan, call, reply in zip(scans, calls, replies, strict=True):
            rows = scan.rows(reply, call.args[3])
            passing = (
                record
                for record, _ in _read(context, scan.group, rows)
                if matches(record.item.value, scan.wanted.filter)
            )
            kept = list(islice(passing, scan.wanted.count - counts[scan.group]))
            found += kept
            counts[scan.group] += len(kept)
        scans = [s for s in scans if not s.is_done and counts[s.group] < s.wanted.count]
    return found


def _nearest(
    context: Context, op: SearchOp, wanted: _Wanted, groups: Sequence[Group]
) -> Operation[list[SearchItem]]:
    """Rank what has vectors; what has none follows, the newest first."""
    names: list[tuple[float, Group, bytes, bytes]] = []
    unscored: list[tuple[float, Group, bytes, bytes]] = []
    for group in groups:
        scan = _Scan(group, wanted)
        while not scan.is_done:
            call = scan.next_page()
            reply = yield call
            rows = _filtered(context, group, scan.rows(reply, call.args[3]), wanted.filter)
            scores = _scores(context, group, rows, wanted)
            for (path, key, _, _), score in zip(rows, scores, strict=True):
                if score is None:
                    unscored.append((0.0, group, path, key))
                else:
                    names.append((score, group, path, key))
    names.sort(key=lambda name: -name[0])
    best = [*names, *unscored][op.offset : wanted.count]
    gets = [
        (n, GetOp(group.namespace(path), decoded(key.decode()), op.refresh_ttl))
        for n, (_, group, path, key) in enumerate(best)
    ]
    records = yield from get(context, gets)
    n_scored = len(names) - op.offset
    found = ((n, record) for n, record in sorted(records.items()) if record is not None)
    return [record.scored(best[n][0] if n < n_scored else None) for n, record in found]


def _filtered(
    context: Context, group: Group, rows: Sequence[Any], wanted: Mapping[str, Any]
) -> Sequence[Any]:
    if not wanted:
        return rows
    pairs = _read(context, group, rows)
    return [row for record, row in pairs if matches(record.item.value, wanted)]


def _scores(
    context: Context, group: Group, rows: Sequence[Any], wanted: _Wanted
) -> list[float | None]:
    """Return how near the best text of each row is; ``None`` where it has no vectors."""
    assert context.index is not None  # noqa: S101 - a query was embedded
    assert wanted.query is not None  # noqa: S101
    parts: list[Vector] = []
    owners: list[int] = []
    for number, (path, key, _, data) in enumerate(rows):
        if not data:
            continue
        try:
            part = context.index.unpack(data, context.codec)
        except RecordError as problem:
            _warn(group, path, key, problem)
            continue
        parts.append(part)
        owners += [number] * len(part)
    scores: list[float | None] = [None] * len(rows)
    if parts:
        best = np.full(len(rows), -np.inf)
        np.maximum.at(best, owners, cosines(wanted.query, np.concatenate(parts)))
        for number in set(owners):
            scores[number] = float(best[number])
    return scores


def _read(context: Context, group: Group, rows: Sequence[Any]) -> Iterator[tuple[Record, Any]]:
    """Give the items of a page. One that cannot be read is named in the log and left out."""
    for row in rows:
        path, key, data, _ = row
        try:
            yield unpack(group.namespace(path), key, data, context.codec), row
        except RecordError as problem:
            _warn(group, path, key, problem)


def _warn(group: Group, path: bytes, key: bytes, problem: RecordError) -> None:
    where = ".".join(group.namespace(path))
    _log.warning("A search passed over %r in %r: %s", decoded(key.decode()), where, problem)


def _refresh(context: Context, records: Sequence[Record]) -> Operation[None]:
    if records:
        gets = [(n, GetOp(r.item.namespace, r.item.key, True)) for n, r in enumerate(records)]
        yield from get(context, gets)
