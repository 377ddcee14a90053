"""A gate that keeps what it is asked and told."""

from treadle.core.calls import Call, Outcome, Purpose


class Recording:
    """Keeps every call, outcome and piece in the order they come."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.outcomes: list[Outcome] = []
        self.deltas: list[tuple[str, Purpose]] = []

    async def before(self, call: Call) -> None:
        self.calls.append(call)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        self.outcomes.append(outcome)
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        self.deltas.append((text, purpose))
