"""The plan that ``treadle ask --dry-run`` prints."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.padding import Padding
from rich.text import Text

from treadle.cli._calls import CallLine, call_lines
from treadle.cli._console import err, out, print_json, reply_data, usage_line
from treadle.cli._run_view import print_call
from treadle.cli._safe import visible
from treadle.cli._streams import kept
from treadle.runtime import Plan, Runtime
from treadle.runtime.journal import Journal

_SHOWN = 160


@dataclass(frozen=True)
class Found:
    """What a dry run found.

    Attributes:
        plan: what it would do.
        journal: its journal.
        waiting: what it waits for, as `Runs.interrupts` returns it.
    """

    plan: Plan
    journal: Journal
    waiting: Sequence[Mapping[str, Any]]

    @classmethod
    async def of(cls, runtime: Runtime, plan: Plan) -> "Found":
        """Return what a dry run found, by its plan."""
        runs, id_ = runtime.runs, plan.reply.run_id
        return cls(plan, await runs.journal(id_), await runs.interrupts(id_))


def print_plan(found: Found, *, as_json: bool) -> None:
    """Print what was read, what would be done, and what that would cost.

    Raises:
        OutputError: it cannot be printed.
    """
    with kept(found.plan.reply.run_id, "plan"):
        if as_json:
            print_json({**plan_data(found.plan), "waits_for": list(found.waiting)})
        else:
            _print(found.plan, found.journal)


def _print(plan: Plan, journal: Journal) -> None:
    lines = _reads(journal)
    if lines:
        out.print(Text("It read", style="bold"))
        for line in lines:
            print_call(line, _SHOWN)
        out.print()
    if plan.effects:
        out.print(Text("It would do", style="bold yellow"))
    else:
        out.print(Text("It would change nothing.", style="bold"))
    for number, effect in enumerate(plan.effects, 1):
        head = Text(f"{number:3} ", style="cyan")
        head.append(visible(effect.tool), style="bold").append(f"  {effect.effect}", "yellow")
        out.print(head)
        for name, value in effect.arguments.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            shown = Text(f"{name}: ", style="dim").append(visible(text), "default")
            out.print(Padding(shown, (0, 0, 0, 4), expand=False))
    if plan.reply.text:
        out.print()
        out.print(Text("It would answer", style="bold"))
        out.print(Padding(Text(visible(plan.reply.text)), (0, 0, 0, 4), expand=False))
    err.print(
        f"\nAbout what it would cost: {usage_line(plan.reply.usage)}", style="dim", highlight=False
    )


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data."""
    return {
        "reads": [{"tool": one.tool, "arguments": one.arguments} for one in plan.reads],
        "effects": [
            {"tool": one.tool, "arguments": one.arguments, "effect": one.effect}
            for one in plan.effects
        ],
        "reply": reply_data(plan.reply),
    }


def _reads(journal: Journal) -> list[CallLine]:
    lines = call_lines(journal.latest_attempt())
    return [line for line in lines if line.kind == "tool" and line.effect == "read"]
