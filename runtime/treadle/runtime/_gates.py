"""Who watches the calls of a run, and the gate that keeps its budget."""

import time
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage

from treadle.agents import Budget
from treadle.core.calls import Call, CallKind, Outcome, Purpose
from treadle.core.errors import BudgetExceededError, TreadleError
from treadle.core.events import CallDelta, CallFinished, CallStarted, Event
from treadle.core.sources import Source
from treadle.core.usage import Usage

Emit = Callable[[Event], None]


class Reporter:
    """Turns every call into events, and adds up what the calls cost.

    Attributes:
        usage: what the calls so far cost, with those of earlier attempts.
    """

    def __init__(self, run_id: str, emit: Emit, usage: Usage) -> None:
        self._run_id = run_id
        self._emit = emit
        self.usage = usage

    def began(self, call: Call) -> None:
        """Report that a call begins."""
        if call.kind is CallKind.DECISION:
            return
        arguments = dict(call.request) if call.kind is CallKind.TOOL else {}
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
        if call.kind is CallKind.DECISION:
            return
        self.usage += outcome.usage
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
                error=_one_line(outcome.error),
            )
        )


class BudgetGate:
    """Refuses the call that would pass a limit of the run's budget.

    Calls are counted before they are made, so parallel ones cannot pass a limit together. Tokens
    and money are known only after a call, so the last one may pass those limits; the next is
    refused.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._started = clock()
        self._model_calls = 0
        self._tool_calls = 0
        self._spent = Usage()

    async def before(self, call: Call) -> None:
        """Count the call, or refuse it.

        Raises:
            BudgetExceededError: when a limit is reached.
        """
        self._check_spent()
        if call.kind is CallKind.MODEL:
            _check("model calls", self._model_calls + 1, self._budget.model_calls)
            self._model_calls += 1
        elif call.kind is CallKind.TOOL:
            _check("tool calls", self._tool_calls + 1, self._budget.tool_calls)
            self._tool_calls += 1

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        """Add up what the call cost."""
        self._spent += outcome.usage
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        """Pieces cost nothing by themselves."""

    def _check_spent(self) -> None:
        # A limit is reached when it is spent: the call asked for would pass it.
        seconds = self._clock() - self._started
        if self._budget.tokens is not None and self._spent.total_tokens >= self._budget.tokens:
            raise _exceeded("tokens", self._budget.tokens)
        if self._budget.usd is not None and self._spent.usd >= self._budget.usd:
            raise _exceeded("US dollars", self._budget.usd)
        if self._budget.seconds is not None and seconds >= self._budget.seconds:
            raise _exceeded("seconds", f"{self._budget.seconds:g}")


def _check(unit: str, wanted: int, limit: int | None) -> None:
    if limit is not None and wanted > limit:
        raise _exceeded(unit, limit)


def _exceeded(unit: str, limit: object) -> BudgetExceededError:
    return BudgetExceededError(
        f"the run's budget of {limit} {unit} is used up.",
        unit=unit,
        hint="Raise it in the agent's budget.",
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


def sources_of(artifact: Any) -> tuple[Source, ...]:
    """Return the sources in what a tool keeps beside its text; none when it is another's."""
    if not isinstance(artifact, dict):
        return ()
    return tuple(Source.from_dict(entry) for entry in artifact.get("sources", ()))


def _one_line(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, TreadleError):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
