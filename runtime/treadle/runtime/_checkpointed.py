"""Making no call before the checkpoint that its identity rests on is kept."""

from treadle.core.calls import Call, Outcome, Purpose
from treadle.memory.saver import WriteBehind


class Checkpointed:
    """Lets a call be made when all checkpoints before it are kept; the first gate.

    A graph goes on while its checkpoint is on the way. A call made meanwhile would be another one
    for whoever takes the run up without that checkpoint, and its effect would happen twice.

    Args:
        behind: what is on the way.
    """

    def __init__(self, behind: WriteBehind) -> None:
        self._behind = behind

    async def before(self, call: Call) -> None:
        """Wait for what is on the way.

        Raises:
            TreadleError: it could not be kept.
        """
        await self._behind.settled()

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Leave the outcome as it is."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pieces wait for nothing."""
