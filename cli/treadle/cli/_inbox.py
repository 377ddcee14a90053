"""``treadle inbox``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from treadle.cli._console import err, hint, out, print_json, rows
from treadle.cli._ending import Ended
from treadle.cli._opening import Opening
from treadle.cli._run_view import print_question
from treadle.cli._safe import one_line, visible
from treadle.cli._streams import kept
from treadle.core.errors import InputError, UnknownNameError
from treadle.runtime import Runtime
from treadle.runtime.approvals import is_approval
from treadle.runtime.questions import in_words
from treadle.runtime.runs import Run, RunStatus

_MOST = 1_000
_ASKED_CHARS = 120
_SHORT_ID = 12

Waiting = tuple[Run, Sequence[Mapping[str, Any]]]
"""A run, and what it waits for."""


@dataclass(frozen=True)
class Given:
    """An answer as the command line was given it.

    Attributes:
        text: ``approve``, ``reject``, JSON or text.
        reason: why a call is refused.
        by: who answers.
        is_queued: whether a worker is to go on with the run.
    """

    text: str
    reason: str
    by: str
    is_queued: bool


def list_waiting(opening: Opening, limit: int, *, as_json: bool) -> None:
    """Print the runs that wait for a person, newest first."""

    async def read(runtime: Runtime) -> list[Waiting]:
        runs = await runtime.runs.recent(limit, status=RunStatus.INTERRUPTED)
        return [(run, await runtime.runs.interrupts(run.id)) for run in runs]

    found = opening.run(read)
    if as_json:
        print_json([_data(*one) for one in found])
        return
    if not found:
        err.print("Nobody waits for you.", style="dim")
        return
    now = datetime.now(UTC)
    rows(
        ["run", "agent", "since", "asked", "waits for"],
        [
            [
                run.id[:_SHORT_ID],
                run.agent,
                _ago(run.ended or run.created, now),
                one_line(run.question, _ASKED_CHARS),
                one_line("; ".join(in_words(one["value"]) for one in waiting), _ASKED_CHARS),
            ]
            for run, waiting in found
        ],
        prose=["asked", "waits for"],
    )
    first = found[0][0].id[:_SHORT_ID]
    hint(f"\nLook closer: treadle inbox show {first}")


def show_waiting(opening: Opening, run_id: str, *, as_json: bool) -> None:
    """Print what a run waits for, and how to answer."""
    run, waiting = opening.run(lambda rt: _find(rt, run_id))
    if as_json:
        print_json(_data(run, waiting))
        return
    out.print(Text.assemble((run.agent, "bold"), f" was asked: {visible(run.question)}"))
    others = [one for one in waiting if not is_approval(one["value"])]
    for one in waiting:
        print_question(one["value"])
    answers = "approve" if not others else "'JSON or text'"
    line = Text(f"\n  treadle inbox answer {run.id[:_SHORT_ID]} {answers}", style="cyan")
    out.print(line, soft_wrap=True)


def answer_waiting(opening: Opening, run_id: str, given: Given, *, as_json: bool) -> None:
    """Answer a run and go on with it, and print what came of it.

    Raises:
        InputError: the answer does not fit what the run waits for.
    """

    async def answer(runtime: Runtime) -> tuple[Run, Ended | None]:
        run, waiting = await _find(runtime, run_id)
        approvals = [one["value"] for one in waiting if is_approval(one["value"])]
        for value in approvals:
            await _decide(runtime, str(value["approval"]), given)
        answers = None if len(approvals) == len(waiting) else _read(given.text)
        if given.is_queued:
            return await runtime.queue.resume(run.id, answers), None
        return run, await Ended.of(runtime, await runtime.resume(run.id, answers))

    run, ended = opening.run(answer)
    if as_json:
        with kept(run.id):
            print_json({"run": run.id, "reply": ended.data() if ended is not None else None})
    elif ended is None:
        out.print(Text(f"A worker goes on with it: treadle runs show {run.id}"), soft_wrap=True)
    else:
        ended.show()
    if ended is not None:
        ended.leave()


async def _decide(runtime: Runtime, approval: str, given: Given) -> None:
    match given.text:
        case "approve":
            await runtime.approvals.approve(approval, by=given.by)
        case "reject":
            await runtime.approvals.reject(approval, given.reason, by=given.by)
        case _:
            raise InputError(
                f"{given.text[:40]!r} answers no call that waits for leave.",
                hint="Say 'approve' or 'reject'; 'treadle approvals edit' changes its arguments.",
            )


async def _find(runtime: Runtime, run_id: str) -> Waiting:
    """Return a run that waits, by its id or what that begins with.

    Raises:
        UnknownNameError: there is none.
        InputError: there are several.
    """
    runs = await runtime.runs.recent(_MOST, status=RunStatus.INTERRUPTED)
    found = [run for run in runs if run.id.startswith(run_id)]
    if not found:
        raise UnknownNameError("run that waits", run_id, [run.id[:_SHORT_ID] for run in runs[:10]])
    if len(found) > 1:
        raise InputError(f"{len(found)} runs that wait begin with {run_id!r}.", hint="Say more.")
    return found[0], await runtime.runs.interrupts(found[0].id)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _ago(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _data(run: Run, waiting: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {**run.to_dict(), "waits_for": [dict(one) for one in waiting]}
