"""The protocol's events of calls and of what a run waits for."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ag_ui.core import (
    BaseEvent,
    Interrupt,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from treadle.runtime.approvals import is_approval
from treadle.runtime.questions import in_words
from treadle.server._deciding import DECISION_SCHEMA
from treadle.server._turn import Ending
from treadle.server._waiting import Asked

Outcome = RunFinishedInterruptOutcome | RunFinishedSuccessOutcome


def call_id(run_id: str, call: str) -> str:
    """Return the id by which a page knows a call of a run."""
    return f"{run_id[:12]}-{call}"


def call_events(id_: str, name: str, arguments: Mapping[str, Any]) -> Iterator[BaseEvent]:
    """Yield what tells of a call."""
    yield ToolCallStartEvent(tool_call_id=id_, tool_call_name=name)
    text = json.dumps(arguments, ensure_ascii=False, default=str)
    yield ToolCallArgsEvent(tool_call_id=id_, delta=text)
    yield ToolCallEndEvent(tool_call_id=id_)


def result_event(id_: str, content: str) -> BaseEvent:
    """Return what tells of a call's result."""
    about: dict[str, Any] = {"message_id": f"{id_}-result", "tool_call_id": id_}
    return ToolCallResultEvent(**about, content=content, role="tool")


def left_calls(run_id: str, ending: Ending, told: Collection[str] = ()) -> Iterator[BaseEvent]:
    """Yield the calls that are the client's to make, and those that wait for leave.

    Args:
        run_id: the run.
        ending: where it waits.
        told: the calls that were told already.
    """
    for call in ending.calls:
        yield from call_events(call.id, call.name, call.arguments)
    for value in (one["value"] for one in ending.waits_for if is_approval(one["value"])):
        if value["call_id"] not in told:
            id_ = call_id(run_id, value["call_id"])
            yield from call_events(id_, value["tool"], value["arguments"])


def proposed(waiting: Asked) -> set[str]:
    """Return the calls that wait for leave, as the run that asked for it told them."""
    return {str(one["value"]["call_id"]) for one in waiting if is_approval(one["value"])}


def outcome_of(run_id: str, ending: Ending) -> Outcome:
    """Return the outcome of a run that came to its end, or that asks."""
    asks = [_interrupt(run_id, one) for one in ending.waits_for]
    return RunFinishedInterruptOutcome(interrupts=asks) if asks else RunFinishedSuccessOutcome()


def _interrupt(run_id: str, waiting: Mapping[str, Any]) -> Interrupt:
    value = waiting["value"]
    about: dict[str, Any] = {"id": str(waiting["id"]), "metadata": {"value": value}}
    if not is_approval(value):
        return Interrupt(**about, reason="input_required", message=in_words(value))
    return Interrupt(
        **about,
        reason="tool_call",
        tool_call_id=call_id(run_id, value["call_id"]),
        message=value["message"],
        response_schema=DECISION_SCHEMA,
        expires_at=value["expires"],
    )
