"""How an attempt ends, as ``lua/finish.lua`` takes it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from treadle.core.usage import Usage
from treadle.runtime.journal import KEEP_EVENTS_MS, EntryType, Rest, split, usage_to_data
from treadle.runtime.runs._record import RunStatus


def ending(
    status: RunStatus,
    entry: tuple[EntryType, Mapping[str, Any]],
    *,
    usage: Usage,
    error: str,
    rest: Rest,
    events: Sequence[tuple[str, bytes]],
) -> list[Any]:
    """Return the arguments after the attempt's number; for what each is see `RunStore.finish`."""
    blobs = dict(rest.blobs)
    data = json.dumps(split(entry[1], blobs), ensure_ascii=False, separators=(",", ":"))
    entries = (*rest.entries, (entry[0].value, data))
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    fields = (
        ("status", status.value),
        ("ended", json.dumps(None if status is RunStatus.PENDING else moment)),
        ("usage", json.dumps(usage_to_data(usage))),
        ("error", error),
    )
    pairs = (*blobs.items(), *entries, *events, *fields)
    counts = (len(blobs), len(entries), len(events))
    return [KEEP_EVENTS_MS, *counts, *(part for pair in pairs for part in pair)]
