"""A run, as a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

from treadle.agents import Agent
from treadle.cli._calls import CallLine, arguments_line, call_lines
from treadle.cli._console import counted, out, usage_line
from treadle.cli._place import place_in_words
from treadle.cli._safe import one_line, visible
from treadle.core.usage import Usage
from treadle.runtime.approvals import is_approval
from treadle.runtime.journal import EntryType, Journal, JournalError
from treadle.runtime.questions import in_words
from treadle.runtime.queue import Place
from treadle.runtime.runs import Run, RunStatus, definition_of, recorded_options

_SHOWN = 240
_STYLES = {
    RunStatus.SUCCESS: "green",
    RunStatus.INTERRUPTED: "yellow",
    RunStatus.ERROR: "red",
    RunStatus.TIMEOUT: "red",
}
_CAN_GO_ON = {RunStatus.ERROR, RunStatus.CANCELLED, RunStatus.TIMEOUT, RunStatus.RUNNING}
_UNITS = ("model_calls", "tool_calls", "input_tokens", "output_tokens", "tokens", "usd")


def run_data(
    run: Run, journal: Journal, waiting: Sequence[Mapping[str, Any]], place: Place | None
) -> dict[str, Any]:
    """Return what is known of a run, as plain data."""
    return {
        **run.to_dict(),
        "calls": [asdict(line) for line in call_lines(journal)],
        "waits_for": list(waiting),
        "queued": place.to_dict() if place is not None else None,
        "reply": _reply(journal),
        "model_settings": recorded_options(journal).model_settings.given(),
    }


def print_listed(run: Run) -> None:
    """Print a run in two lines, as one of many."""
    line = Text(f"{run.id}  ", style="bold")
    line.append(f"{run.status.value:11}  ", _STYLES.get(run.status, "default"))
    line.append(f"{run.created.astimezone():%Y-%m-%d %H:%M}  ", "dim")
    line.append(run.agent)
    out.print(line, soft_wrap=True)
    out.print(Text(f"  {one_line(run.question, min(out.width - 2, _SHOWN))}", style="dim"))


def print_run(
    run: Run,
    journal: Journal,
    waiting: Sequence[Mapping[str, Any]],
    place: Place | None,
    *,
    everything: bool,
) -> None:
    """Print a run with its calls.

    Args:
        run: the run.
        journal: its journal.
        waiting: what it waits for.
        place: where it stands in the queue; ``None`` where it does not.
        everything: show decisions too, and nothing cut short.
    """
    _print_head(run, journal, place)
    limit = 1_000_000 if everything else _SHOWN
    lines = [one for one in call_lines(journal) if everything or one.number is not None]
    if lines:
        out.print()
    for line in lines:
        print_call(line, limit)
    if waiting:
        out.print()
        print_waiting(run.id, waiting)
    reply = _reply(journal)
    if reply and reply.get("text"):
        out.print()
        out.print(Text(visible(reply["text"])))
    if run.error:
        out.print()
        out.print(Text(visible(run.error), style="red"))
    if run.status in _CAN_GO_ON and (place is None or place.state == "dead"):
        out.print()
        out.print(Text(f"Go on with it: treadle runs resume {run.id}", style="dim"), soft_wrap=True)


def print_waiting(run_id: str, waiting: Sequence[Mapping[str, Any]]) -> None:
    """Print what a run waits for, and how to answer."""
    for one in waiting:
        print_question(one["value"])
        named = f"{one['id']}=" if len(waiting) > 1 else ""
        how = f"treadle runs resume {run_id} --answer '{named}JSON or text'"
        if is_approval(one["value"]):
            how = f"treadle approvals show {one['value']['approval']}"
        out.print(Text(f"  {how}", style="cyan"), soft_wrap=True)


def print_question(value: Any) -> None:
    """Print what an interrupt asks; of a call that waits for leave, its exact arguments."""
    if is_approval(value):
        out.print(Text("The run waits for leave to call", style="bold yellow"))
    else:
        out.print(Text("The run waits for an answer", style="bold yellow"))
        out.print(Padding(Text(visible(in_words(value))), (0, 0, 0, 2), expand=False))
    if isinstance(value, Mapping) and "tool" in value:
        call = f"  {value['tool']}({arguments_line(value.get('arguments', {}))})"
        out.print(Text(visible(call), style="bold"), soft_wrap=True)


def _print_head(run: Run, journal: Journal, place: Place | None) -> None:
    status = Text(run.status.value, style=_STYLES.get(run.status, "bold"))
    status.append(f", attempt {run.attempt}" if run.attempt > 1 else "", style="default")
    if run.mode.value != "live":
        status.append(f", {run.mode.value}" + (f" of {run.parent}" if run.parent else ""))
    _field("run", Text(run.id, style="bold"))
    _field("status", status)
    if place is not None:
        style = "yellow" if place.is_unserved else ""
        _field("queue", Text(visible(place_in_words(place)), style=style))
    _field("agent", Text(run.agent))
    _field("thread", Text(visible(run.thread_id)))
    if run.user:
        _field("user", Text(visible(run.user)))
    took = f" · {(run.ended - run.created).total_seconds():.1f} s" if run.ended else ""
    _field("when", Text(f"{run.created.astimezone():%Y-%m-%d %H:%M:%S}{took}"))
    _field("asked", Text(one_line(run.question, _SHOWN), style="bold"))
    _field("used", Text(usage_line(run.usage)))
    if run.learning != Usage():
        _field("learned", Text(usage_line(run.learning)))
    if limits := _limits(run, journal):
        _field("budget", Text(limits))
    if given := recorded_options(journal).model_settings.given():
        _field("models", Text(visible(arguments_line(given))))


def _field(name: str, value: Text) -> None:
    label = Text(f"{name:8}", style="dim")
    room = max(20, out.width - 8)
    if max(map(cell_len, value.plain.split()), default=0) > room:  # It would be broken.
        out.print(label + value, soft_wrap=True)
        return
    lines = value.wrap(out, room)
    for index, line in enumerate(lines):
        line.rstrip()
        out.print((label if index == 0 else Text(" " * 8)) + line)


def _limits(run: Run, journal: Journal) -> str:
    """Return how much of its budget the run has used."""
    try:
        agent: Agent = definition_of(journal)
    except JournalError:
        return ""
    used = {
        **asdict(run.usage),
        "tokens": run.usage.input_tokens + run.usage.output_tokens,
    }
    told = []
    for unit in _UNITS:
        limit = getattr(agent.budget, unit)
        if limit is not None:
            name = "USD" if unit == "usd" else unit.replace("_", " ")
            told.append(f"{used[unit]:,} of {limit:,} {name}")
    return ", ".join(told)


def print_call(line: CallLine, limit: int) -> None:
    """Print a call with what came of it, each in at most ``limit`` characters."""
    number = f"{line.number:3} " if line.number is not None else "  · "
    head = Text(number, style="cyan")
    head.append(f"{line.kind} ", style="dim")
    head.append(visible(line.name), style="bold")
    if line.kind == "model":
        head.append(f"  {counted(line.asked['messages'], 'message')}", style="dim")
    else:
        head.append(f"({one_line(arguments_line(line.asked), limit)})")
    if line.effect != "read":
        head.append(f"  {line.effect}", style="yellow")
    if line.state != "made":
        head.append(f"  {line.state}", style="bold yellow")
    if line.seconds:
        head.append(f"  {line.seconds:.1f} s", style="dim")
    out.print(_hanging(head))
    for mark, style, text in (
        ("✗", "red", line.error),
        ("", "dim", line.said),
        *(("→", "yellow", call) for call in line.calls),
    ):
        if text:
            shown = Text(f"{mark} " if mark else "", style=style).append(one_line(text, limit))
            out.print(Padding(shown, (0, 0, 0, 4), expand=False))


def _hanging(text: Text) -> Text:
    """Return a line whose continuation stands under its text, not under its number."""
    first, *others = text.wrap(out, max(20, out.width - 4))
    lines = [first, *(Text("    ") + line for line in others)]
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def _reply(journal: Journal) -> Mapping[str, Any] | None:
    ended = journal.of_type(EntryType.RUN_FINISHED)
    return ended[-1].data.get("reply") if ended else None
