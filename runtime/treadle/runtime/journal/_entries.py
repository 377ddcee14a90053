"""What a journal is made of: entries in order, and the calls they tell of.

The format is described in ``docs/journal.md``; another program can read it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from langchain_core.messages import AIMessage

from treadle.core.calls import Call, CallKind, Effect, Outcome, Purpose
from treadle.core.characters import is_whole, whole_data
from treadle.core.errors import InputError
from treadle.runtime.journal._data import (
    error_from_data,
    error_to_data,
    from_data,
    to_data,
    usage_from_data,
    usage_to_data,
)
from treadle.runtime.journal._errors import JournalError

VERSION = 1
"""The version of the format that is written; older ones are read, newer ones are refused."""

BLOB_BYTES = 4_096
"""A text longer than this is kept once for the run, by its SHA-256, whoever refers to it."""


class EntryType(StrEnum):
    """What an entry tells of."""

    RUN_STARTED = "run.started"
    """A run began: ``agent``, ``question``, ``input``, what the agent is made of (``definition``,
    digests of its ``prompts`` and its graph's file, the version of ``treadle``), whether a
    budget limits it (``metered``), and how its graph is executed where that was asked for
    (``options``)."""
    RUN_RESUMED = "run.resumed"
    """Another attempt went on with it: ``answers`` to its interrupts, or none."""
    CALL_STARTED = "call.started"
    """A call is about to be made: ``call``, a `CallRecord`."""
    CALL_DELTA = "call.delta"
    """Pieces of a streamed answer: ``call_id``, ``purpose``, ``text``."""
    CALL_FINISHED = "call.finished"
    """A call ended: ``call_id``, ``outcome``; one that was refused was not ``made``."""
    CALL_ABANDONED = "call.abandoned"
    """A call was cancelled on its way; what it did is not known."""
    CALL_PAUSED = "call.paused"
    """A call waits for a person by ``interrupt()``: ``call_id``, ``asks``. It is made
    again from its beginning when there is an answer."""
    APPROVAL_ASKED = "approval.asked"
    """A person is asked whether a call may be made: ``approval`` (its id), ``asked`` (a
    `CallRecord`), ``value`` (what the run waits with)."""
    APPROVAL_USED = "approval.used"
    """A call is about to be made as a person approved it: ``approval``, ``call_id``, ``by``, and
    ``arguments`` where the person changed them."""
    RUN_PAUSED = "run.paused"
    """The attempt stopped before its end, and another one is to go on: ``reason``."""
    RUN_INTERRUPTED = "run.interrupted"
    """The run waits for a person: ``interrupts``."""
    RUN_FINISHED = "run.finished"
    """The run came to its end: ``reply``."""
    RUN_FAILED = "run.failed"
    """The run ended without an answer: ``error``, ``status``, ``usage``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a journal.

    Attributes:
        id: its place, as Redis Streams write it: ``<milliseconds>-<number>``, ever rising.
        type: what it tells of; a type this program does not know is kept as it is.
        attempt: which attempt of the run wrote it, from 1.
        data: the rest, as JSON.
    """

    id: str
    type: str
    attempt: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as its entries tell of it.

    Attributes:
        call_id: `Call.id`; equal for the same position in a repeated step.
        kind, name, effect, purpose: as those of `Call`.
        path, branch, step, ordinal, task: as those of `Position`.
        fingerprint: SHA-256 of kind, name and request, after secrets were taken out.
        request: for each part of the request, the SHA-256 of its pieces.
        outcome: how it ended, as data; ``None`` when that is not known.
        made: whether it was made; a refused call was not, and one that paused is to be made again.
        asks: what it waits for, where it paused.
    """

    call_id: str
    kind: CallKind
    name: str
    effect: Effect
    purpose: Purpose
    path: str
    branch: int
    step: int
    ordinal: int
    fingerprint: str
    request: Mapping[str, tuple[str, ...]]
    task: str = ""
    outcome: Mapping[str, Any] | None = None
    made: bool = True
    asks: tuple[Any, ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stands among its like: the same in a replay, whatever the ids are."""
        return self.path, self.branch, self.ordinal

    def is_inside(self, other: "CallRecord") -> bool:
        """Tell whether the call was made while another one was, by what that one calls."""
        (task, marks), (around, outer) = _place(self.task), _place(other.task)
        return task.startswith(around) and f"{marks}~".startswith(f"{outer}~{other.ordinal}~")

    @property
    def what(self) -> str:
        """What is called, such as ``tool calculate``."""
        return f"{self.kind.value} {self.name}"

    def where(self, number: int | None) -> str:
        """Return what is called and its place, in words.

        Args:
            number: its number, as `call_numbers` has it; ``None`` where it has none.
        """
        task = f"{self.path}[{self.branch}]" if self.branch else self.path
        named = f"call {number}" if number is not None else "a call without a number"
        return f"{named}, {self.what}" + (f" in {task}" if task else "")

    def with_text(self, text: str) -> "CallRecord":
        """Return the record with another outcome: the text that a tool returned or a model said.

        Raises:
            InputError: the call was neither a tool's nor a model's.
        """
        if self.kind is CallKind.TOOL:
            value: Any = (text, {"sources": []})
        elif self.kind is CallKind.MODEL:
            value = AIMessage(text)
        else:
            raise InputError(f"The call {self.what} returned no text that could be replaced.")
        return replace(self, outcome=outcome_to_data(Outcome(value=value)), made=True)

    @classmethod
    def of(
        cls, call: Call, request: Mapping[str, tuple[str, ...]], fingerprint: str
    ) -> "CallRecord":
        """Return the record of a call about to be made."""
        at = call.position
        return cls(
            call.id,
            call.kind,
            call.name,
            call.effect,
            call.purpose,
            at.path,
            at.branch,
            at.step,
            at.ordinal,
            fingerprint,
            request,
            at.task,
        )

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON, without its outcome."""
        return {
            "call_id": self.call_id,
            "kind": self.kind.value,
            "name": self.name,
            "effect": self.effect.value,
            "purpose": self.purpose.value,
            "path": self.path,
            "branch": self.branch,
            "step": self.step,
            "ordinal": self.ordinal,
            "task": self.task,
            "fingerprint": self.fingerprint,
            "request": {name: list(pieces) for name, pieces in self.request.items()},
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "CallRecord":
        """Return the record that `to_data` made ``data`` of.

        Raises:
            JournalError: it is no such data.
        """
        try:
            return cls(
                str(data["call_id"]),
                CallKind(data["kind"]),
                str(data["name"]),
                Effect(data["effect"]),
                Purpose(data["purpose"]),
                str(data["path"]),
                int(data["branch"]),
                int(data["step"]),
                int(data["ordinal"]),
                str(data["fingerprint"]),
                {str(name): tuple(pieces) for name, pieces in data["request"].items()},
                str(data.get("task", "")),
            )
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            raise JournalError(f"A recorded call cannot be read: {problem!r}.") from problem


def _place(task: str) -> tuple[str, str]:
    """Return LangGraph's part of a task, and the marks of the calls around it, such as ``~0~2``."""
    name, mark, others = task.partition("@")[0].partition("~")
    return name, mark + others


def fingerprint(call: Call, request: Mapping[str, tuple[str, ...]]) -> str:
    """Return the SHA-256 of what is called and with what, whatever its position."""
    content = json.dumps([call.kind, call.name, request], sort_keys=True, default=list)
    return hashlib.sha256(content.encode()).hexdigest()


def outcome_to_data(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON.

    Raises:
        InputError: the value holds something that is not data.
    """
    data: dict[str, Any] = {"usage": usage_to_data(outcome.usage), "seconds": outcome.seconds}
    if outcome.error is not None:
        return data | {"error": error_to_data(outcome.error)}
    return data | {"value": to_data(outcome.value)}


def outcome_from_data(data: Mapping[str, Any]) -> Outcome:
    """Return the outcome that `outcome_to_data` made ``data`` of.

    Raises:
        JournalError: it is no such data.
    """
    usage = usage_from_data(data.get("usage", {}))
    seconds = float(data.get("seconds", 0))
    if "error" in data:
        return Outcome(error=error_from_data(data["error"]), usage=usage, seconds=seconds)
    return Outcome(value=from_data(data.get("value")), usage=usage, seconds=seconds)


@dataclass(frozen=True)
class Journal:
    """A run's journal, read whole.

    Attributes:
        run: what is known of the run itself, as its record in Redis has it.
        entries: its entries, oldest first.
        blobs: long texts and pieces of requests, by SHA-256.
    """

    run: Mapping[str, Any]
    entries: tuple[Entry, ...]
    blobs: Mapping[str, str] = field(default_factory=dict)

    def calls(self) -> list[CallRecord]:
        """Return the calls in the order they began, each once, with how they ended.

        A call that an attempt made again after a crash is the same call.

        Raises:
            JournalError: an entry of a call cannot be read.
        """
        return calls_of(self.entries)

    def latest_attempt(self) -> "Journal":
        """Return it with what the run's last attempt wrote alone."""
        number = max((entry.attempt for entry in self.entries), default=0)
        return replace(self, entries=tuple(one for one in self.entries if one.attempt == number))

    def of_type(self, *types: EntryType) -> list[Entry]:
        """Return the entries of these types, oldest first."""
        return [entry for entry in self.entries if entry.type in types]


def calls_of(entries: Iterable[Entry]) -> list[CallRecord]:
    """Return the calls that entries tell of; see `Journal.calls`.

    Raises:
        JournalError: an entry of a call cannot be read.
    """
    found: dict[str, CallRecord] = {}
    for entry in entries:
        if told := entry.data.get("call"):
            record = CallRecord.from_data(told)
            found[record.call_id] = record  # begun again, it stands where it first stood
        if entry.type == EntryType.CALL_FINISHED:
            call_id, outcome = str(entry.data.get("call_id")), entry.data.get("outcome")
            if call_id not in found or not isinstance(outcome, Mapping):
                raise JournalError(
                    f"The entry {entry.id} finishes the call {call_id!r}, which never began."
                )
            made = bool(entry.data.get("made", True))
            found[call_id] = replace(found[call_id], outcome=outcome, made=made)
        elif entry.type == EntryType.CALL_PAUSED and entry.data.get("call_id") in found:
            call_id, asks = str(entry.data["call_id"]), tuple(entry.data["asks"])
            found[call_id] = replace(found[call_id], made=False, asks=asks)
    return list(found.values())


def call_numbers(calls: Iterable[CallRecord]) -> dict[str, int]:
    """Return the number of each call of a model or tool, from 1 in the order they began, by its id.

    These are the numbers that people see and give. Decisions have none.
    """
    told = (one for one in calls if one.kind.is_told)
    return {one.call_id: number for number, one in enumerate(told, 1)}


def digest(text: str) -> str:
    """Return the name of a blob: its SHA-256 as hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def as_text(data: Any, blobs: dict[str, str]) -> str:
    """Return ``data`` as JSON with references for its long texts, which are put in ``blobs``."""
    text = _compact(data)
    if not is_whole(text):  # A stream was cut inside a pair.
        data = whole_data(data)
        text = _compact(data)
    if len(text) * 4 <= BLOB_BYTES or len(text.encode()) <= BLOB_BYTES:
        return text  # Short as a whole, it has no long part.
    return _compact(split(data, blobs))


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def split(data: Any, blobs: dict[str, str]) -> Any:
    """Return ``data`` with references for its long texts, and put those in ``blobs``."""
    if isinstance(data, str):
        if len(data) * 4 <= BLOB_BYTES or len(data.encode()) <= BLOB_BYTES:
            return data
        name = digest(data)
        blobs[name] = data
        return {"$blob": name}
    if isinstance(data, Mapping):
        return {key: split(item, blobs) for key, item in data.items()}
    if isinstance(data, list):
        return [split(item, blobs) for item in data]
    return data


def joined(data: Any, blobs: Mapping[str, str]) -> Any:
    """Return what `split` took apart.

    Raises:
        JournalError: a text is missing.
    """
    if isinstance(data, list):
        return [joined(item, blobs) for item in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {"$blob"}:
        if data["$blob"] not in blobs:
            raise JournalError(f"The text {data['$blob']!r} of a journal is missing.")
        return blobs[data["$blob"]]
    return {key: joined(item, blobs) for key, item in data.items()}
