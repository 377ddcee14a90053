"""``treadle queue``: queueing runs and looking after them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import typer
from rich.text import Text

from treadle.cli._console import err, hint, out, print_json, rows
from treadle.cli._ending import STOPPED, WAITS
from treadle.cli._opening import Opening
from treadle.cli._plan import Found, print_plan
from treadle.cli._run_view import print_waiting
from treadle.cli._safe import visible
from treadle.cli._streams import kept, read_input
from treadle.core.errors import RunError
from treadle.runtime import Runtime
from treadle.runtime.queue import Multitask, RunRequest
from treadle.runtime.runs import Run, RunStatus


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for the queue, as it was typed; see `RunRequest`."""

    question: str
    agent: str
    thread: str | None
    user: str | None
    queue: str
    key: str | None
    after_seconds: float
    multitask: str
    is_dry: bool

    def request(self) -> RunRequest:
        """Return it as the queue takes it."""
        text = read_input() if self.question == "-" else self.question
        return RunRequest(
            self.agent,
            text,
            thread_id=self.thread,
            user=self.user,
            queue=self.queue,
            key=self.key,
            after=timedelta(seconds=self.after_seconds),
            multitask=cast("Multitask", self.multitask),
            is_dry=self.is_dry,
        )


def add(opening: Opening, asked: Asked, *, is_waited_for: bool, as_json: bool) -> None:
    """Queue a question, and print the run, or its answer or plan when it is waited for."""

    async def within(runtime: Runtime) -> None:
        queued = await runtime.queue.submit(asked.request())
        if not is_waited_for:
            if as_json:
                print_json({"run_id": queued.run_id, "thread_id": queued.thread_id})
            else:
                out.print(queued.run_id, highlight=False)
            return
        err.print(f"Waiting for the run {queued.run_id}", style="dim", highlight=False)
        run = await runtime.queue.wait(queued.run)
        if asked.is_dry:
            print_plan(await Found.of(runtime, await runtime.runs.plan(run.id)), as_json=as_json)
            return
        with kept(run.id):
            await _print_end(runtime, run, as_json=as_json)

    opening.run(within)


async def _print_end(runtime: Runtime, run: Run, *, as_json: bool) -> None:
    turns = await runtime.threads.show(run.thread_id) if run.status is RunStatus.SUCCESS else []
    answer = turns[-1].text if turns else ""
    if as_json:
        print_json({**run.to_dict(), "answer": answer})
    elif run.status is RunStatus.SUCCESS:
        out.print(visible(answer), markup=False)
    elif run.status is RunStatus.INTERRUPTED:
        print_waiting(run.id, await runtime.runs.interrupts(run.id))
    else:
        raise RunError(run.error or f"The run ended as {run.status}.")
    if run.status is RunStatus.INTERRUPTED:
        raise typer.Exit(WAITS)
    if run.status is not RunStatus.SUCCESS:
        raise typer.Exit(1)
    if await runtime.queue.stopped_early(run):
        raise typer.Exit(STOPPED)


def status(opening: Opening, *, as_json: bool) -> None:
    """Print what waits, what is at work, and who works."""
    stats = opening.run(lambda runtime: runtime.queue.stats())
    if as_json:
        print_json(stats.to_dict())
        return
    lines = []
    for name in stats.ready:
        style = "yellow" if stats.is_unserved(name) else "default"
        numbers = [stats.ready[name], stats.running[name], stats.workers[name]]
        lines.append([Text(str(cell), style=style) for cell in (name, *numbers)])
    numeric = ["ready", "at work", "workers"]
    rows(["queue", *numeric], lines, right=numeric)
    out.print(f"{stats.delayed} due later, {stats.dead} given up", style="dim")
    for name in stats.ready:
        if stats.is_unserved(name):
            hint(f"Nobody serves {name!r}: start 'treadle worker --queue {name}'.", "default")


def dead(opening: Opening, *, as_json: bool) -> None:
    """Print the runs that were given up."""

    found = opening.run(lambda runtime: runtime.queue.dead())
    if as_json:
        print_json([{"run_id": run_id, "reason": reason} for run_id, reason in found])
        return
    if not found:
        out.print("No run was given up.")
    for run_id, reason in found:
        line = f"{run_id}  {visible(reason)}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def retry(opening: Opening, run_id: str) -> None:
    """Queue a run again."""

    async def again(runtime: Runtime) -> Run:
        return await runtime.queue.resume(await runtime.runs.id_of(run_id))

    run = opening.run(again)
    err.print(f"The run {run.id} is queued again.", highlight=False)


def cancel(opening: Opening, run_id: str, *, is_undone: bool) -> None:
    """Stop a run."""

    async def stop(runtime: Runtime) -> Run:
        return await runtime.queue.cancel(await runtime.runs.id_of(run_id), rollback=is_undone)

    run = opening.run(stop)
    said = "was stopped" if run.status is RunStatus.CANCELLED else "is being stopped"
    err.print(f"The run {run.id} {said}.", highlight=False)
