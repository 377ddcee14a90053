"""Turning the calls of a run into events."""

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage

from treadle.core.calls import Call, CallKind, Outcome, Purpose
from treadle.core.errors import TreadleError
from treadle.core.events import CallDelta, CallFinished, CallStarted, Event
from treadle.core.redaction import Redactor
from treadle.core.sources import Source
from treadle.core.usage import Usage
from treadle.runtime.citations import sources_of

Emit = Callable[[Event], None]


class Reporter:
    """Turns every call into events, and adds up what the calls cost.

    Args:
        run_id: the run.
        emit: takes the events.
        usage: what earlier attempts cost.
        redactor: takes secrets out of what is asked and of errors; answers come without them.

    Attributes:
        usage: what the calls so far cost, with those of earlier attempts.
    """

    def __init__(self, run_id: str, emit: Emit, usage: Usage, redactor: Redactor) -> None:
        self._run_id = run_id
        self._emit = emit
        self._redact: Callable[[Any], Any] = redactor.redact
        self.usage = usage

    def began(self, call: Call) -> None:
        """Report that a call begins."""
        if not call.kind.is_told:
            return
        arguments = self._redact(dict(call.request)) if call.kind is CallKind.TOOL else {}
        self._emit(
            CallStarted(
                self._run_id,
                call_id=call.id,
                kind=call.kind,
                name=call.name,
                effect=call.effect,
                arguments=arguments,
                path=call.position.path,
            )
        )

    def piece(self, call: Call, text: str, purpose: Purpose) -> None:
        """Report a piece of a model's answer."""
        self._emit(CallDelta(self._run_id, call_id=call.id, text=text, purpose=purpose))

    def ended(self, call: Call, outcome: Outcome) -> None:
        """Report how a call ended and what it cost."""
        self.usage += outcome.usage
        if not call.kind.is_told:
            return
        text, thought, sources = said(call.kind, call.purpose, outcome.value)
        self._emit(
            CallFinished(
                self._run_id,
                call_id=call.id,
                kind=call.kind,
                name=call.name,
                usage=outcome.usage,
                seconds=outcome.seconds,
                text=text,
                thought=thought,
                sources=sources,
                error=self._redact(one_line(outcome.error)),
            )
        )


def said(kind: CallKind, purpose: Purpose, value: Any) -> tuple[str, str, tuple[Source, ...]]:
    """Return what was said to the person, what was said in thought, and the sources."""
    if isinstance(value, AIMessage):
        reasoning = "\n".join(
            str(block.get("reasoning", ""))
            for block in value.content_blocks
            if block["type"] == "reasoning"
        )
        if purpose is Purpose.THOUGHT or value.tool_calls:
            return "", "\n".join(part for part in (reasoning, value.text) if part), ()
        return value.text, reasoning, ()
    if kind is CallKind.TOOL and isinstance(value, tuple):
        content, artifact = value
        return str(content), "", sources_of(artifact)
    return "" if value is None else str(value), "", ()


def one_line(error: BaseException | None) -> str:
    """Return why something failed; empty where it did not."""
    if error is None:
        return ""
    if isinstance(error, TreadleError):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
