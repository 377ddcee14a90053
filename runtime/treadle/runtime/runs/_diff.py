"""What is different between two runs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from treadle.runtime.journal import (
    CallRecord,
    Difference,
    EntryType,
    Journal,
    call_numbers,
    first_difference,
    request_difference,
)
from treadle.runtime.runs.made_of import changes, recorded


def differences(left: Journal, right: Journal) -> list[Difference]:
    """Return where the right run differs from the left: the agent, each call, and the end.

    Calls are paired by their place in the graph.

    Raises:
        JournalError: a journal cannot be read.
    """
    found = changes(recorded(left), recorded(right))
    numbered = call_numbers(left.calls()), call_numbers(right.calls())
    for before, now in _pairs(left, right):
        where = _where(before, now, *numbered)
        difference = _call_difference(where, before, now, left.blobs, right.blobs)
        if difference is not None:
            found.append(difference)
    inner = first_difference(_end(left), _end(right))
    if inner is not None:
        found.append(Difference("the end of the run", *inner))
    return found


def _pairs(left: Journal, right: Journal) -> Iterator[tuple[CallRecord | None, CallRecord | None]]:
    sides: defaultdict[tuple[str, int, int], tuple[list[CallRecord], list[CallRecord]]]
    sides = defaultdict(lambda: ([], []))
    order: dict[str, int] = {}
    for side, journal in enumerate((left, right)):
        for number, record in enumerate(journal.calls()):
            sides[record.place][side].append(record)
            order[record.call_id] = number
    pairs = [pair for place in sides.values() for pair in zip_longest(*place)]
    yield from sorted(pairs, key=lambda pair: max(order[one.call_id] for one in pair if one))


def _where(
    before: CallRecord | None,
    now: CallRecord | None,
    left: Mapping[str, int],
    right: Mapping[str, int],
) -> str:
    """Return the place of a call in words, by its number in the left run where it is in that."""
    if before is not None:
        return before.where(left.get(before.call_id))
    assert now is not None  # noqa: S101 - one side of a pair is there
    return f"of the other run, {now.where(right.get(now.call_id))}"


def _call_difference(
    where: str,
    before: CallRecord | None,
    now: CallRecord | None,
    blobs_before: Mapping[str, str],
    blobs_now: Mapping[str, str],
) -> Difference | None:
    if before is None or now is None:
        return Difference(where, "call", before and before.what, now and now.what)
    if before.what != now.what:
        return Difference(where, "name", before.what, now.what)
    if before.fingerprint != now.fingerprint:
        return request_difference(where, _pieces(before, blobs_before), _pieces(now, blobs_now))
    inner = first_difference(_said(before), _said(now), "outcome")
    return None if inner is None else Difference(where, *inner)


def _pieces(record: CallRecord, blobs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(blobs.get(digest, "") for digest in digests)
        for name, digests in record.request.items()
    }


def _said(record: CallRecord) -> dict[str, Any]:
    """Return a call's outcome without what differs by chance: ids, costs and times."""
    outcome = record.outcome or {}
    value = outcome.get("value")
    if isinstance(value, Mapping) and "$message" in value:
        message = value["$message"]
        value = {name: message.get(name) for name in ("content", "tool_calls")}
    return {"value": value, "error": outcome.get("error"), "made": record.made}


def _end(journal: Journal) -> dict[str, Any]:
    ends = journal.of_type(EntryType.RUN_FINISHED, EntryType.RUN_FAILED, EntryType.RUN_INTERRUPTED)
    if not ends:
        return {"end": None}
    data = ends[-1].data
    return {name: data.get(name) for name in ("reply", "error", "interrupts")}
