"""The journal's two gates: the first in the chain knows outcomes, the last records them."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.types import Interrupt, interrupt

from treadle.core.calls import Call, CallKind, Effect, Outcome, Permit, Purpose
from treadle.core.characters import is_whole, whole_data
from treadle.core.errors import InputError, RunError, ToolError
from treadle.core.redaction import Redactor
from treadle.core.usage import Usage
from treadle.runtime.journal._data import from_data, to_data
from treadle.runtime.journal._entries import (
    CallRecord,
    EntryType,
    digest,
    fingerprint,
    outcome_from_data,
    outcome_to_data,
)
from treadle.runtime.journal._errors import DivergenceError, JournalError
from treadle.runtime.journal._sources import EarlierAttempts, Finding, Knowledge, Source
from treadle.runtime.journal._stream import FLUSH_SECONDS
from treadle.runtime.journal._unknown import outcome_of, question

MAX_OUTCOME_BYTES = 8 << 20
"""The largest outcome that is recorded, as JSON; a larger one becomes an error the graph sees."""


class Listener(Protocol):
    """Is told of each call as it happens, for those who watch."""

    def began(self, call: Call) -> None:
        """A call begins, or its known outcome is about to be used."""
        ...

    def piece(self, call: Call, text: str, purpose: Purpose) -> None:
        """A piece of a streamed answer arrived."""
        ...

    def ended(self, call: Call, outcome: Outcome) -> None:
        """A call ended; what was known already costs nothing again."""
        ...


class Writer(Protocol):
    """What entries are given to; `JournalWriter` keeps them in Redis."""

    def blob(self, name: str, text: str) -> None:
        """Keep a text with the entry that is given next."""
        ...

    def note(self, type: EntryType, data: Mapping[str, Any]) -> None:  # noqa: A002
        """Add an entry soon."""
        ...

    async def write(self, type: EntryType, data: Mapping[str, Any]) -> None:  # noqa: A002
        """Add an entry now, after all that were given before."""
        ...


class CallJournal:
    """What the two gates of a run share.

    Args:
        source: where outcomes are known from; ``None`` where nothing is known.
        writer: where entries go; ``None`` records nothing, as in a replay.
        redactor: takes secrets out of what is recorded.
        listener: is told of each call that is made or known.
        answers: what people said of calls with an unknown outcome, by the calls' ids.
    """

    def __init__(
        self,
        source: Source | None,
        writer: Writer | None,
        redactor: Redactor,
        listener: Listener,
        answers: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.source = source
        self.writer = writer
        self.redactor = redactor
        self.redact: Callable[[Any], Any] = redactor.redact
        self.listener = listener
        self.answers = dict(answers)
        # A retry policy may run a task again in this attempt: its effects do not happen again.
        self.effects = EarlierAttempts(())
        self.findings: dict[str, Finding] = {}
        self.recorded: set[str] = set()
        self._clean: dict[str, str] = {}

    def record(self, call: Call) -> tuple[CallRecord, dict[str, tuple[str, ...]]]:
        """Return the record of a call about to be made, and the pieces of its request."""
        pieces = {name: tuple(map(self._redacted, part)) for name, part in call.pieces.items()}
        request = {name: tuple(map(digest, part)) for name, part in pieces.items()}
        return CallRecord.of(call, request, fingerprint(call, request)), pieces

    def started(self, record: CallRecord, pieces: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        """Return the data of the entry that tells of the call, and hand over its pieces."""
        assert self.writer is not None  # noqa: S101 - callers ask first
        for name, part in pieces.items():
            for blob, text in zip(record.request[name], part, strict=True):
                self.writer.blob(blob, text)
        return {"call": record.to_data()}

    def _redacted(self, piece: str) -> str:
        known = self._clean.get(piece)
        if known is None:
            known = self._clean[piece] = self.redactor.redact_json(piece)
        return known


@dataclass(slots=True)
class _Delta:
    """Pieces of one streamed answer that are written together."""

    call_id: str
    purpose: Purpose
    since: float
    texts: list[str]


class KnownOutcomes:
    """Answers a call whose outcome is known already; asked before every other gate."""

    def __init__(self, journal: CallJournal) -> None:
        self._journal = journal

    async def before(self, call: Call) -> Outcome | None:
        """Return the known outcome, or ``None`` to let the call be made.

        Raises:
            GraphInterrupt: the call must not be repeated and how it ended is not known; the run
                waits until a person says what became of it. Or a replay waits as its run does.
            DivergenceError: the run does something else than its journal says.
        """
        effects = self._journal.effects
        source = effects if call.id in effects else self._journal.source
        if source is None:
            return None
        record, pieces = self._journal.record(call)
        finding = source.find(record, pieces)
        self._journal.findings[call.id] = finding
        if finding.knowledge is Knowledge.UNKNOWN_EFFECT:
            return self._ask(call)
        while finding.knowledge is Knowledge.PAUSED and finding.record is not None:
            interrupt(*map(from_data, finding.record.asks[:1]))
        if finding.record is None or finding.record.outcome is None:
            return None
        return replace(outcome_from_data(finding.record.outcome), seconds=0.0)

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Record what another gate answered or refused, and tell of what was not made."""
        journal = self._journal
        finding = journal.findings.pop(call.id, None)
        if call.id in journal.recorded:
            journal.recorded.discard(call.id)
            return outcome
        if isinstance(outcome.error, GraphBubbleUp | JournalError | DivergenceError):
            return outcome
        is_known = finding is not None and finding.knowledge is Knowledge.OUTCOME
        if not is_known:
            # What a person said became of an effect is known of it from now on.
            is_told = finding is not None and finding.knowledge is Knowledge.UNKNOWN_EFFECT
            await self._record(call, outcome, made=is_told)
        elif call.id not in journal.effects and journal.source and not journal.source.is_own:
            outcome = replace(outcome, usage=Usage())
            await self._record(call, outcome, made=True)
        if outcome.error is None or is_known:
            journal.listener.began(call)
            journal.listener.ended(call, replace(outcome, usage=Usage()))
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pieces are recorded, not known."""

    async def _record(self, call: Call, outcome: Outcome, *, made: bool) -> None:
        """Record a call that this run did not make itself."""
        if self._journal.writer is None or not isinstance(outcome.error, Exception | None):
            return
        data = self._journal.started(*self._journal.record(call))
        told = self._journal.redact(outcome_to_data(outcome))
        data |= {"call_id": call.id, "made": made, "outcome": told}
        await self._journal.writer.write(EntryType.CALL_FINISHED, data)

    def _ask(self, call: Call) -> Outcome | None:
        """Return what a person said became of the call; ``None`` to make it again.

        The answer is found by the call. LangGraph hands out a task's answers in the order in which
        they are asked for, whichever call asks: one call would be repeated on another's answer.
        """
        answer = self._journal.answers.pop(call.id, None)
        if answer is None:
            asked = self._journal.redact(question(call))
            raise GraphInterrupt((Interrupt(value=asked, id=call.id),))
        outcome = outcome_of(answer)
        if outcome is None:
            self._journal.findings.pop(call.id, None)
        return outcome


class Recorder:
    """Records every call that is made; the last gate, so that nothing stands behind it."""

    def __init__(self, journal: CallJournal) -> None:
        self._journal = journal
        self._terms = Permit(redactor=journal.redactor)
        self._delta: _Delta | None = None

    async def before(self, call: Call) -> Permit:
        """Record that the call is about to be made; for an effect, before it is made.

        What is told of its answer while that grows holds no secret, as what is recorded does not.
        """
        journal, terms = self._journal, self._terms
        journal.recorded.add(call.id)
        journal.listener.began(call)
        if journal.writer is None:
            return terms
        record, pieces = journal.record(call)
        data = journal.started(record, pieces)
        self._end_delta()
        if call.effect is Effect.ONCE:
            await journal.writer.write(EntryType.CALL_STARTED, data)
            journal.effects.begun(record)
        else:
            journal.writer.note(EntryType.CALL_STARTED, data)
        return terms

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Record how the call ended, and return that as it is recorded."""
        journal = self._journal
        self._end_delta()
        if isinstance(outcome.error, GraphBubbleUp):
            await self._paused(call, outcome.error)
            return outcome  # The graph waits for somebody, or goes elsewhere: this is no end.
        if isinstance(outcome.error, GeneratorExit) and outcome.value is not None:
            data, seen = self._recordable(call, replace(outcome, error=None))
            await self._finished(call, {"call_id": call.id, "outcome": {**data, "partial": True}})
            journal.listener.ended(call, replace(seen, error=outcome.error))
            return outcome
        if outcome.error is not None and not isinstance(outcome.error, Exception):
            if journal.writer is not None:
                journal.writer.note(EntryType.CALL_ABANDONED, {"call_id": call.id})
            journal.listener.ended(call, outcome)
            return outcome
        data, seen = self._recordable(call, outcome)
        journal.effects.ended(call.id, data)
        await self._finished(call, {"call_id": call.id, "outcome": data})
        journal.listener.ended(call, seen)
        return seen

    async def _finished(self, call: Call, data: Mapping[str, Any]) -> None:
        writer = self._journal.writer
        if writer is None:
            return
        if not call.kind.is_told:
            # Whatever rests on it is written behind it; until then it can be made anew.
            writer.note(EntryType.CALL_FINISHED, data)
        else:
            await asyncio.shield(writer.write(EntryType.CALL_FINISHED, data))

    async def _paused(self, call: Call, waits: GraphBubbleUp) -> None:
        """Record that the call is to be made again: it came to no effect that must happen once."""
        if self._journal.writer is None or not isinstance(waits, GraphInterrupt):
            return
        asks = [to_data(one.value) for one in waits.args[0]]
        data = {"call_id": call.id, "asks": self._journal.redact(asks)}
        await self._journal.writer.write(EntryType.CALL_PAUSED, data)

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Record a piece of a streamed answer, together with its neighbours."""
        self._journal.listener.piece(call, text, purpose)
        delta, now = self._delta, time.monotonic()
        if delta is not None and (delta.call_id, delta.purpose) == (call.id, purpose):
            delta.texts.append(text)
            if now - delta.since < FLUSH_SECONDS:
                return
            self._end_delta()
            return
        self._end_delta()
        self._delta = _Delta(call.id, purpose, now, [text])

    def _end_delta(self) -> None:
        """Record the pieces so far."""
        delta, self._delta = self._delta, None
        if delta is None or self._journal.writer is None:
            return
        data = {"call_id": delta.call_id, "purpose": delta.purpose.value}
        self._journal.writer.note(EntryType.CALL_DELTA, {**data, "text": "".join(delta.texts)})

    def _recordable(self, call: Call, outcome: Outcome) -> tuple[dict[str, Any], Outcome]:
        """Return the outcome as data, and as the graph is to see it: the two say the same."""
        try:
            data = outcome_to_data(outcome)
        except InputError as problem:
            outcome = _unrecordable(call, outcome, problem.message)
            return outcome_to_data(outcome), outcome
        text = json.dumps(data, ensure_ascii=False)
        size = len(text)
        if size > MAX_OUTCOME_BYTES:
            problem_text = f"it returned {size >> 20} MB, and at most {MAX_OUTCOME_BYTES >> 20} MB"
            outcome = _unrecordable(call, outcome, f"{problem_text} can be recorded")
            return outcome_to_data(outcome), outcome
        clean = self._journal.redact(data if is_whole(text) else whole_data(data))
        if clean == data or outcome.error is not None:
            return clean, outcome
        return clean, replace(outcome, value=from_data(clean["value"]))


def _unrecordable(call: Call, outcome: Outcome, problem: str) -> Outcome:
    kind = ToolError if call.kind is CallKind.TOOL else RunError
    error = kind(
        f"The outcome of {call.name!r} cannot be recorded: {problem}.",
        hint="Return text, numbers, lists and dicts, and keep what is large elsewhere.",
    )
    return Outcome(error=error, usage=outcome.usage, seconds=outcome.seconds)
