"""How an attempt begins, as ``lua/begin.lua`` takes and tells it."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from treadle.core.errors import UnknownNameError
from treadle.runtime.journal import KEEP_EVENTS_MS
from treadle.runtime.runs._record import NEXT, Run, RunStateError, RunStatus

_BEGIN_FROM = [status.value for status, following in NEXT.items() if RunStatus.RUNNING in following]


def beginning(run: Run, *, is_watched: bool) -> list[Any]:
    """Return the arguments after the time to live; for what each is see `RunStore.begin`."""
    before = f'{{"run_id":{json.dumps(run.id)},"attempt":'
    after = f',"thread_id":{json.dumps(run.thread_id)}}}'
    told = (KEEP_EVENTS_MS, before, after) if is_watched else ("", "", "")
    return [run.id, run.attempt, uuid.uuid4().hex, *told, *_BEGIN_FROM]


def begun(run: Run, reply: Sequence[Any]) -> int:
    """Return the number of the attempt that begins; errors as for `RunStore.begin`."""
    if reply[0] == b"missing":
        raise UnknownNameError("run", run.id, None)
    if reply[0] == b"taken":
        raise RunStateError(
            f"Somebody else took up the run {run.id}: its attempt {int(reply[1])} has begun.",
            hint="See what became of it with 'treadle runs show'.",
        )
    if reply[0] != b"ok":
        raise RunStateError(f"The run {run.id} is at its end: {reply[1].decode()}.")
    return int(reply[1])
