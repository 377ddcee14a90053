"""How a command ends that had an agent run: what it prints, and its exit code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from treadle.cli._console import out, print_json, print_reply, reply_data
from treadle.cli._run_view import print_waiting
from treadle.cli._streams import kept
from treadle.core.events import Reply
from treadle.runtime import Runtime

WAITS = 3
"""The exit code where a run waits for a person."""
STOPPED = 4
"""The exit code where a run was stopped early and answered with what it knew."""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        reply: its answer.
        waiting: what it waits for, as `Runs.interrupts` returns it.
    """

    reply: Reply
    waiting: Sequence[Mapping[str, Any]]

    @classmethod
    async def of(cls, runtime: Runtime, reply: Reply) -> "Ended":
        """Return how the run of a reply ended."""
        return cls(reply, await runtime.runs.interrupts(reply.run_id) if reply.is_question else [])

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**reply_data(self.reply), "waits_for": list(self.waiting)}

    def show(self, *, as_json: bool = False) -> None:
        """Print the answer, or what the run waits for.

        Raises:
            OutputError: it cannot be printed.
        """
        with kept(self.reply.run_id):
            if as_json:
                print_json(self.data())
            elif self.waiting:
                print_waiting(self.reply.run_id, self.waiting)
            else:
                print_reply(self.reply, out)

    def leave(self) -> None:
        """Leave with the exit code that says that there is no whole answer, where there is none."""
        if self.waiting:
            raise typer.Exit(WAITS)
        if self.reply.stopped:
            raise typer.Exit(STOPPED)
