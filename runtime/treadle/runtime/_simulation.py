"""A dry run: what reads runs, and what would change the world is described."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.calls import Call, CallKind, Effect, Outcome, Purpose
from treadle.core.events import Reply


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """A call that a live run would have made.

    Attributes:
        tool: the tool's name.
        arguments: its arguments by name.
        effect: what repeating it would do.
    """

    tool: str
    arguments: Mapping[str, Any]
    effect: Effect


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        reply: what it would answer, as far as the described effects allow; its usage is what the
            dry run itself cost, which a live run would cost too.
        effects: the effects it would have, in order.
    """

    reply: Reply
    effects: tuple[PlannedEffect, ...]


class Simulator:
    """A gate that answers a call with an effect by saying what it would have done.

    Attributes:
        effects: the effects that were described, in order.
    """

    def __init__(self) -> None:
        self.effects: list[PlannedEffect] = []

    async def before(self, call: Call) -> Outcome | None:
        """Let what only reads pass; describe the rest."""
        if call.kind is not CallKind.TOOL or call.effect in (Effect.READ, Effect.CALLS):
            return None
        self.effects.append(PlannedEffect(call.name, dict(call.request), call.effect))
        text = f"(dry run) {call.name} was not called. Go on as if it had succeeded."
        return Outcome(value=(text, {"sources": []}))

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Nothing is left to do."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Nothing is streamed here."""
