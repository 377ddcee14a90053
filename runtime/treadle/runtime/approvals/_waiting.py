"""Waiting for approvals in a replay, where the recorded run still waits for them."""

from typing import Any

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from treadle.core.calls import Call, Outcome, Purpose
from treadle.runtime.journal import CallJournal, CallRecord, EntryType, Journal


class WaitingAgain:
    """Lets a replay wait at the calls that its run waits at; asked before outcomes are looked for.

    Args:
        recorded: the run's journal.
        journal: what the gates of the replay share.
    """

    def __init__(self, recorded: Journal, journal: CallJournal) -> None:
        self._journal = journal
        begun = {record.call_id for record in recorded.calls()}
        self._values: dict[tuple[Any, ...], Any] = {}
        for entry in recorded.of_type(EntryType.APPROVAL_ASKED):
            asked = CallRecord.from_data(entry.data["asked"])
            if asked.call_id not in begun:
                self._values[_where(asked)] = entry.data["value"]

    async def before(self, call: Call) -> None:
        """Wait as the run does.

        Raises:
            GraphInterrupt: the run waits here.
        """
        if not self._values:
            return
        value = self._values.get(_where(self._journal.record(call)[0]))
        if value is not None:
            raise GraphInterrupt((Interrupt(value=value, id=value["approval"]),))

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Nothing is left to do."""
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Nothing is streamed in a replay."""


def _where(record: CallRecord) -> tuple[Any, ...]:
    return (*record.place, record.step, record.fingerprint)
