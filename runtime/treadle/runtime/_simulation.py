"""A dry run: what reads runs, and what would change the world is described."""

from treadle.core.calls import Call, CallKind, Effect, Outcome, Purpose


class Simulator:
    """A gate that answers a call with an effect by saying that it was not made."""

    async def before(self, call: Call) -> Outcome | None:
        """Let what only reads pass; describe the rest."""
        if call.kind is not CallKind.TOOL or call.effect in (Effect.READ, Effect.CALLS):
            return None
        text = f"(dry run) {call.name} was not called. Go on as if it had succeeded."
        return Outcome(value=(text, {"sources": []}))

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Nothing is left to do."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Nothing is streamed here."""
