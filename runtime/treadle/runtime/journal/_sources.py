"""Where the outcome of a call may be known from: an earlier attempt, or another run's journal."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any, Protocol

from treadle.core.calls import CallKind, Effect
from treadle.runtime.journal._differences import Difference, request_difference
from treadle.runtime.journal._entries import CallRecord, call_numbers
from treadle.runtime.journal._errors import DivergenceError

Pieces = Mapping[str, tuple[str, ...]]
"""The parts of a request, each as its pieces of JSON."""


class Knowledge(StrEnum):
    """What a source knows of a call."""

    NOTHING = "nothing"
    """It is to be made."""
    OUTCOME = "outcome"
    """It was made, and its outcome is to be used again."""
    UNKNOWN_EFFECT = "unknown effect"
    """It was begun, must not be repeated, and how it ended is not known."""
    PAUSED = "paused"
    """It waits for a person, and a replay is to wait there too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source says of a call: what is known, and the record it is known from."""

    knowledge: Knowledge
    record: CallRecord | None = None


_NOTHING = Finding(Knowledge.NOTHING)


class Source(Protocol):
    """What is asked before every call of a run."""

    @property
    def is_own(self) -> bool:
        """Whether its outcomes stand in the run's own journal already."""
        ...

    def find(self, call: CallRecord, pieces: Pieces) -> Finding:
        """Say what is known of the call.

        Raises:
            DivergenceError: the run does something else than it did before, at this place.
        """
        ...


class EarlierAttempts:
    """The outcomes that the earlier attempts of the same run recorded, by the call's own id.

    What was answered is not asked again. A failure is tried again, but for an effect that must
    happen at most once: that has had its try. So is what was left before its end: whether whoever
    left it had enough is not known.
    """

    is_own = True

    def __init__(self, records: Iterable[CallRecord]) -> None:
        self._records = {record.call_id: record for record in records if record.made}

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._records

    def begun(self, record: CallRecord) -> None:
        """Know of one more call, whose outcome is not known yet."""
        self._records[record.call_id] = record

    def ended(self, call_id: str, outcome: Mapping[str, Any]) -> None:
        """Know the outcome of a call that is known."""
        if call_id in self._records:
            self._records[call_id] = replace(self._records[call_id], outcome=outcome)

    def find(self, call: CallRecord, pieces: Pieces) -> Finding:
        """See `Source.find`.

        Raises:
            DivergenceError: an effect stood there, and another one is asked for now. What only
                reads is made anew.
        """
        record = self._records.get(call.call_id)
        if record is None:
            return _NOTHING
        if record.fingerprint != call.fingerprint:
            if call.effect is Effect.ONCE:
                raise DivergenceError(
                    f"The run now calls {call.name!r} where an earlier attempt called "
                    f"{record.name!r} with other arguments.",
                    hint="The agent changed in between. Fork the run, or ask again.",
                )
            return _NOTHING
        if record.outcome is None:
            is_once = call.effect is Effect.ONCE
            return Finding(Knowledge.UNKNOWN_EFFECT, record) if is_once else _NOTHING
        if not _is_whole(record.outcome) and call.effect is not Effect.ONCE:
            return _NOTHING
        return Finding(Knowledge.OUTCOME, record)


def answered(records: Iterable[CallRecord]) -> list[CallRecord]:
    """Return the calls that were made and answered whole, which need not be made again."""
    return [one for one in records if one.made and one.outcome and _is_whole(one.outcome)]


def _is_whole(outcome: Mapping[str, Any]) -> bool:
    return not ("error" in outcome or outcome.get("partial"))


class Recording:
    """The outcomes in another run's journal, by the place of a call and what it asks.

    Args:
        records: the journal's calls in the order they began.
        blobs: the pieces of their requests.
        is_strict: whether a call that the journal does not know is an error (a replay) or is made
            (a fork).
        may_break_off: whether the run may have ended while calls were under way. A replay then is
            told of no difference where it gets further than the journal.
        optional: the ids of calls that a replay need not make.

    Attributes:
        made: each call that was asked for and the recorded one it stands for, by the call's id.
        divergence: the first difference that was found; ``None`` without one.
    """

    is_own = False

    def __init__(
        self,
        records: Sequence[CallRecord],
        blobs: Mapping[str, str],
        *,
        is_strict: bool,
        may_break_off: bool = False,
        optional: Collection[str] = (),
    ) -> None:
        self._left: defaultdict[tuple[str, int, int], list[CallRecord]] = defaultdict(list)
        for record in records:
            # A replay has no memory to make vectors for; what was found with them is a decision.
            if not (is_strict and record.kind is CallKind.EMBEDDING):
                self._left[record.place].append(record)
        self._numbers = call_numbers(records)
        self._blobs = blobs
        self._is_strict = is_strict
        self._may_break_off = may_break_off
        self._optional = optional
        self._tasks = _Tasks()
        self.made: dict[str, tuple[CallRecord, CallRecord | None]] = {}
        self.divergence: Difference | None = None

    def find(self, call: CallRecord, pieces: Pieces) -> Finding:
        """See `Source.find`."""
        _, same = self.made.get(call.call_id, (None, None))
        if self._is_strict and same is not None and same.fingerprint == call.fingerprint:
            return self._known(call, same)  # Its task is executed again.
        there = self._left[call.place]
        alike = [one for one in there if one.fingerprint == call.fingerprint]
        same = max(alike, key=lambda record: self._tasks.fit(call, record), default=None)
        self.made[call.call_id] = call, same
        if same is not None:
            there.remove(same)
            self._tasks.matched(call, same)
            return self._known(call, same)
        if not self._is_strict or (self._may_break_off and not there):
            return _NOTHING
        if there:
            nearest = max(there, key=lambda record: self._tasks.fit(call, record))
            there.remove(nearest)
            raise self._diverged(self._difference(nearest, call, pieces))
        raise self._diverged(Difference(call.where(None), "call", "none", call.what))

    def _known(self, call: CallRecord, record: CallRecord) -> Finding:
        if call.effect is Effect.CALLS:
            return _NOTHING  # It is made of calls that are known themselves.
        if record.outcome is not None:
            return Finding(Knowledge.OUTCOME, record)
        is_paused = self._is_strict and record.asks
        return Finding(Knowledge.PAUSED, record) if is_paused else _NOTHING

    def left(self) -> Difference | None:
        """Return the first recorded call that was not asked for, if any."""
        matched = (same for _, same in self.made.values() if same is not None)
        answered = [same for same in matched if same.effect is not Effect.CALLS]
        for records in self._left.values():
            for record in records:
                if record.outcome is None or record.call_id in self._optional:
                    continue
                if not any(record.is_inside(one) for one in answered):
                    return Difference(self.where(record), "call", record.what, "none")
        return None

    def where(self, record: CallRecord) -> str:
        """Return a recorded call and its place in words, with its number in the journal."""
        return record.where(self._numbers.get(record.call_id))

    def _difference(self, record: CallRecord, call: CallRecord, pieces: Pieces) -> Difference:
        if record.what != call.what:
            return Difference(self.where(record), "name", record.what, call.what)
        before = {
            name: tuple(self._blobs.get(piece, "") for piece in digests)
            for name, digests in record.request.items()
        }
        return request_difference(self.where(record), before, pieces)

    def _diverged(self, difference: Difference) -> DivergenceError:
        if self.divergence is None:
            self.divergence = difference
        return DivergenceError(f"The run went another way: {difference}.")


class _Tasks:
    """Which recorded task each task of a repetition stands for.

    Branches of a run that call the same at the same place are told apart by what else they, and
    the tasks around them, called: a branch that began with the calls of one goes on with them.
    """

    def __init__(self) -> None:
        self._recorded: dict[str, str] = {}
        self._repeated: dict[str, str] = {}

    def matched(self, call: CallRecord, record: CallRecord) -> None:
        """Know that the call's task stands for that of the record."""
        for repeated, recorded in _around(call, record):
            self._recorded[repeated] = recorded
            self._repeated[recorded] = repeated

    def fit(self, call: CallRecord, record: CallRecord) -> int:
        """Return how many tasks, from the outermost on, are or may be the same."""
        return sum(
            self._recorded.get(repeated, recorded) == recorded
            and self._repeated.get(recorded, repeated) == repeated
            for repeated, recorded in _around(call, record)
        )


def _around(call: CallRecord, record: CallRecord) -> Iterable[tuple[str, str]]:
    """Yield the pairs of tasks in which the two stand, the outermost first."""
    return zip(
        accumulate(call.task.split("|"), "{}|{}".format),
        accumulate(record.task.split("|"), "{}|{}".format),
        strict=False,
    )
