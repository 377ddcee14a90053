"""The calls of a journal, as a person reads them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.calls import CallKind
from treadle.runtime.journal import CallRecord, Journal, call_numbers


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call in short.

    Attributes:
        number: as ``treadle runs fork`` takes it, from 1; ``None`` for a decision, which is no
            model's or tool's.
        kind, name, effect: what was called.
        path: where in the graph.
        asked: a tool's arguments by name; for a model, how many messages it was given.
        said: what came of it.
        calls: the tool calls a model asked for, as ``name(arguments)``.
        error: why it failed; empty when it did not.
        state: ``made``, ``not made`` (refused or answered by a gate), ``waits`` or ``unknown``.
        seconds: how long it took.
    """

    number: int | None
    kind: str
    name: str
    effect: str
    path: str
    asked: Mapping[str, Any]
    said: str
    calls: tuple[str, ...]
    error: str
    state: str
    seconds: float


def call_lines(journal: Journal) -> Iterator[CallLine]:
    """Yield the calls of a journal in the order they began.

    Raises:
        JournalError: an entry of a call cannot be read.
    """
    records = journal.calls()
    numbered = call_numbers(records)
    for record in records:
        yield _line(numbered.get(record.call_id), record, journal)


def arguments_line(arguments: Mapping[str, Any]) -> str:
    """Return arguments as ``name=value, name=value``."""
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in arguments.items()
    )


def _line(number: int | None, record: CallRecord, journal: Journal) -> CallLine:
    outcome = record.outcome or {}
    is_embedding = record.kind is CallKind.EMBEDDING
    said, calls = ("", ()) if is_embedding else _said(outcome.get("value"))
    return CallLine(
        number,
        record.kind.value,
        record.name,
        record.effect.value,
        record.path,
        _asked(record, journal),
        said,
        calls,
        str(outcome.get("error", {}).get("message", "")),
        _state(record),
        round(float(outcome.get("seconds", 0)), 3),
    )


def _state(record: CallRecord) -> str:
    if record.outcome is None:
        return "waits" if record.asks else "unknown"
    return "made" if record.made else "not made"


def _asked(record: CallRecord, journal: Journal) -> dict[str, Any]:
    if record.kind is CallKind.MODEL:
        return {"messages": len(record.request.get("messages", ()))}
    return {
        name: json.loads(journal.blobs[pieces[0]])
        for name, pieces in record.request.items()
        if pieces and pieces[0] in journal.blobs
    }


def _said(value: Any) -> tuple[str, tuple[str, ...]]:
    if isinstance(value, Mapping) and "$message" in value:
        message = value["$message"]
        calls = message.get("tool_calls", ())
        told = tuple(f"{call['name']}({arguments_line(call['args'])})" for call in calls)
        return _text(message.get("content", "")), told
    if isinstance(value, Mapping) and value.keys() == {"$tuple"} and value["$tuple"]:
        return _text(value["$tuple"][0]), ()
    return _text(value), ()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        blocks = [item.get("text") for item in value if isinstance(item, Mapping)]
        if all(isinstance(text, str) for text in blocks) and len(blocks) == len(value):
            return "".join(blocks)  # type: ignore[arg-type]
    return json.dumps(value, ensure_ascii=False) if value else ""
