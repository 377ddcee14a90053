"""``treadle runs``."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.padding import Padding
from rich.text import Text

from treadle.agents import Agent, find_agent
from treadle.cli._console import counted, err, hint, out, print_json, usage_line
from treadle.cli._ending import WAITS, Ended
from treadle.cli._opening import Opening
from treadle.cli._plan import Found, print_plan
from treadle.cli._run_view import print_listed, print_run, print_waiting, run_data
from treadle.cli._safe import one_line, visible
from treadle.core.errors import InputError
from treadle.core.events import Reply
from treadle.runtime import Runtime
from treadle.runtime.journal import Difference
from treadle.runtime.runs import SUFFIX, JournalFile, RunStateError, RunStatus, definition_of

_LEAD = 40
_SHOWN = 400


def list_runs(
    opening: Opening, limit: int, thread: str | None, status: str | None, *, as_json: bool
) -> None:
    """Print the runs, newest first.

    Raises:
        InputError: there is no such status.
    """
    wanted = _status(status)
    runs = opening.run(lambda rt: rt.runs.recent(limit, thread=thread, status=wanted))
    if as_json:
        print_json([run.to_dict() for run in runs])
    elif not runs:
        hint("No such runs yet. Ask something: treadle ask 'a question'")
    else:
        for run in runs:
            print_listed(run)


def _status(name: str | None) -> RunStatus | None:
    if name is None:
        return None
    try:
        return RunStatus(name)
    except ValueError:
        known = ", ".join(RunStatus)
        raise InputError(f"No run has the status {name!r}.", hint=f"There are: {known}.") from None


def show_run(opening: Opening, run_id: str, *, everything: bool, as_json: bool) -> None:
    """Print what is known of a run: its calls, what it waits for, how it ended."""

    async def read(runtime: Runtime) -> tuple[Any, ...]:
        id_ = await runtime.runs.id_of(run_id)
        run = await runtime.runs.get(id_)
        journal = await runtime.runs.journal(id_)
        waiting = await runtime.runs.interrupts(id_)
        return run, journal, waiting, await runtime.queue.place(id_)

    run, journal, waiting, place = opening.run(read)
    if as_json:
        print_json(run_data(run, journal, waiting, place))
    else:
        print_run(run, journal, waiting, place, everything=everything)


def show_plan(opening: Opening, run_id: str, *, as_json: bool) -> None:
    """Print what a dry run found."""

    async def read(runtime: Runtime) -> Found:
        id_ = await runtime.runs.id_of(run_id)
        return await Found.of(runtime, await runtime.runs.plan(id_))

    print_plan(opening.run(read), as_json=as_json)


def resume_run(opening: Opening, run_id: str, answers: Sequence[str], *, as_json: bool) -> None:
    """Go on with a run, with answers to what it waits for."""

    async def resume(runtime: Runtime) -> Reply:
        id_ = await runtime.runs.id_of(run_id)
        waiting = await runtime.runs.interrupts(id_)
        ids = {str(one["id"]) for one in waiting}
        try:
            return await runtime.resume(id_, _answers(answers, ids))
        except RunStateError:
            if answers or not waiting:
                raise
            print_waiting(id_, waiting)
            raise typer.Exit(WAITS) from None

    _finish(opening, resume, as_json=as_json)


def _answers(given: Sequence[str], waiting: set[str]) -> object:
    """Return answers as `Runtime.resume` takes them: one, or one for each interrupt by its id."""
    if not given:
        return None
    named: dict[str, Any] = {}
    for text in given:
        id_, found, answer = text.partition("=")
        if found and id_ in waiting:
            named[id_] = _value(answer)
        elif len(given) == 1:
            return _value(text)
        else:
            raise InputError(
                f"The answer {text!r} does not say what it answers.",
                hint=f"Write ID=ANSWER; the run waits with: {', '.join(sorted(waiting))}.",
            )
    return named


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def fork_run(
    opening: Opening,
    source: str,
    *,
    question: str | None,
    prompt: str | None,
    agent: str | None,
    model: str | None,
    at: int | None,
    outcomes: Sequence[str],
    as_json: bool,
) -> None:
    """Repeat a run with something changed, and go on live from there."""
    edited = _outcomes(outcomes)

    async def fork(runtime: Runtime) -> Reply:
        file = await _source(runtime, source)
        chosen = find_agent(agent, runtime.project) if agent else definition_of(file.journal)
        changes = {"prompt": prompt, "model": model}
        update = {name: value for name, value in changes.items() if value is not None}
        changed = chosen.model_copy(update=update)
        return await runtime.fork(file, agent=changed, question=question, at=at, outcomes=edited)

    _finish(opening, fork, as_json=as_json)


def _outcomes(given: Sequence[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for text in given:
        number, sign, outcome = text.partition("=")
        if not sign or not number.isdecimal():
            raise InputError(
                f"--outcome {text!r} names no call.", hint="Write NUMBER=TEXT, such as '2=nothing'."
            )
        found[int(number)] = outcome
    return found


def replay_run(opening: Opening, source: str, *, current: bool, as_json: bool) -> None:
    """Execute a run again with outcomes from its journal only; leave with 1 where it differs."""

    async def replay(runtime: Runtime) -> Any:
        file = await _source(runtime, source)
        agent: Agent | None = None
        if current:
            agent = find_agent(definition_of(file.journal).name, runtime.project)
        return await runtime.runs.replay(file, agent=agent)

    replay_ = opening.run(replay)
    difference = replay_.difference
    if as_json:
        print_json(
            {
                "run": replay_.run_id,
                "agent": replay_.agent,
                "calls": replay_.calls,
                "difference": difference.to_dict() if difference else None,
                "changes": [one.to_dict() for one in replay_.changes],
            }
        )
    elif difference is None:
        err.print(
            f"The same: {counted(replay_.calls, 'call')} of {replay_.agent}, and its end.",
            style="dim",
        )
    else:
        for one in (difference, *replay_.changes):
            print_difference(one)
    if difference is not None:
        raise typer.Exit(1)


def diff_runs(opening: Opening, left: str, right: str, *, as_json: bool) -> None:
    """Print where one run differs from another; leave with 1 where they do."""

    async def compare(runtime: Runtime) -> list[Difference]:
        ids = [await runtime.runs.id_of(one) for one in (left, right)]
        return await runtime.runs.diff(*ids)

    found = opening.run(compare)
    if as_json:
        print_json([difference.to_dict() for difference in found])
    elif not found:
        err.print("The runs are the same.", style="dim")
    else:
        for difference in found:
            print_difference(difference)
    if found:
        raise typer.Exit(1)


def export_run(opening: Opening, run_id: str, output: Path | None, *, as_json: bool) -> None:
    """Write a run's journal to a file that replays anywhere.

    Raises:
        InputError: the file cannot be written.
    """

    async def export(runtime: Runtime) -> tuple[str, JournalFile]:
        id_ = await runtime.runs.id_of(run_id)
        return id_, await runtime.runs.export(id_)

    id_, file = opening.run(export)
    path = output or Path(f"{id_}{SUFFIX}")
    file.write(path)
    if as_json:
        print_json({"run": id_, "file": str(path)})
    else:
        err.print(f"Wrote {path}", style="dim", highlight=False, soft_wrap=True)


def import_run(opening: Opening, path: Path, *, as_json: bool) -> None:
    """Keep a journal that was exported elsewhere."""
    file = JournalFile.read(path)
    run = opening.run(lambda rt: rt.runs.import_file(file))
    if as_json:
        print_json(run.to_dict())
    else:
        hint(f"Kept the run {run.id}: treadle runs show {run.id}", "default")


def print_difference(difference: Difference) -> None:
    """Print one difference: where, and both values from where they part."""
    out.print(visible(f"{difference.where}: {difference.field}"), style="bold", markup=False)
    before, now = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in (difference.recorded, difference.found)
    )
    parting = max(0, _parting(before, now) - _LEAD)
    for mark, style, text in (("-", "red", before), ("+", "green", now)):
        shown = f"…{text[parting:]}" if parting else text
        line = Text(f"{mark} {one_line(shown, _SHOWN)}", style=style)
        out.print(Padding(line, (0, 0, 0, 2), expand=False))


def _parting(before: str, now: str) -> int:
    """Return where two texts part."""
    pairs = enumerate(zip(before, now, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(now)))


async def _source(runtime: Runtime, source: str) -> JournalFile:
    """Return the journal of a run, by its id or what that begins with, or of a file."""
    if source.endswith(SUFFIX):
        return JournalFile.read(Path(source))
    return await runtime.runs.export(await runtime.runs.id_of(source))


def _finish(
    opening: Opening, work: Callable[[Runtime], Awaitable[Reply]], *, as_json: bool
) -> None:
    """Do what ends with a reply, and print that, or what the run waits for now."""

    async def both(runtime: Runtime) -> Ended:
        return await Ended.of(runtime, await work(runtime))

    ended = opening.run(both)
    ended.show(as_json=as_json)
    if not as_json:
        reply = ended.reply
        err.print(f"\n{usage_line(reply.usage)}\nrun {reply.run_id}", style="dim", highlight=False)
    ended.leave()
