"""Runs that wait for a person: told in words, and answered in words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from treadle.runtime import Runtime
from treadle.runtime.approvals import is_approval
from treadle.runtime.questions import in_words
from treadle.runtime.runs import Run
from treadle.server.security import Ownership
from treadle.tools import CLIENT_CALL

Asked = Sequence[Mapping[str, Any]]
"""What a run waits for, as `Runs.interrupts` returns it."""
_GIVES_LEAVE = "a person gives leave with 'treadle approvals'; a message here does not"
_NAMED = re.compile(r"\(Run ([A-Za-z0-9_-]{1,200}) waits: [^()]*\)\s*$")


def is_clients(value: Any) -> bool:
    """Return whether an interrupt's value is a call that the client is to make."""
    return isinstance(value, Mapping) and CLIENT_CALL in value


async def asked_on(rt: Runtime, thread_id: str, agent: str) -> tuple[Run, Asked] | None:
    """Return the run of a thread that waits for an answer in words, and what it asks.

    Nothing where the thread is another's, and where it is the client's to make calls.
    """
    run = await rt.runs.waiting_on(thread_id)
    if run is None or run.agent != agent or not await Ownership(rt).sees(thread_id):
        return None
    waiting = await rt.runs.interrupts(run.id)
    return None if any(is_clients(one["value"]) for one in waiting) else (run, waiting)


def told(run_id: str, waiting: Asked, how: str) -> str:
    """Return what a run waits for, with the run's name in the last line.

    Args:
        run_id: the run.
        waiting: what it waits for.
        how: how a question is answered, for the reader.
    """
    approvals = [one for one in waiting if is_approval(one["value"])]
    questions = [in_words(one["value"]) for one in waiting if one not in approvals]
    leaves = [f"This waits for {in_words(one['value'])}." for one in approvals]
    how = how if questions else _GIVES_LEAVE
    if len(questions) > 1:
        how += ", to the first question"
    return "\n\n".join([*questions, *leaves, f"(Run {run_id} waits: {how}.)"])


def named_in(text: str) -> str | None:
    """Return the run that a text made by `told` names."""
    found = _NAMED.search(text)
    return found[1] if found else None
