"""A run's events in the protocol's words."""

import json
import uuid
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from ag_ui.core import (
    BaseEvent,
    Interrupt,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from treadle.agents import Agent
from treadle.core.calls import CallKind, Purpose
from treadle.core.events import (
    CallDelta,
    CallFinished,
    CallStarted,
    Event,
    Reply,
    RunFailed,
    RunFinished,
    RunStarted,
)
from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.runtime.approvals import is_approval
from treadle.runtime.journal import outcome_from_data
from treadle.runtime.questions import in_words
from treadle.server._deciding import DECISION_SCHEMA
from treadle.server._telling import Teller, hidden_of, is_live
from treadle.server._turn import Ending, ending_of
from treadle.server._waiting import Asked
from treadle.server.agui._messages import RunInput


class Translator(Teller):
    """Tells what happens in a run: text, reasoning and calls, each begun and ended in turn.

    Args:
        runtime: the caller's runtime.
        agent: the agent.
        asked: the request, whose thread and run the events name.
        proposed: the calls that an earlier run told of, which are told with their results alone.
    """

    def __init__(
        self, runtime: Runtime, agent: Agent, asked: RunInput, proposed: Collection[str] = ()
    ) -> None:
        super().__init__(hidden_of(agent), is_live=is_live(agent))
        self._runtime = runtime
        self._asked = asked
        self._run_id = ""
        self._open = ""
        # A run that was resumed goes on under its own name, and its messages are new ones.
        self._mark = uuid.uuid4().hex[:8]
        self._said_so_far = 0
        self._proposed = set(proposed)

    async def events(self, source: AsyncGenerator[Event]) -> AsyncGenerator[BaseEvent]:
        """Yield the run's events, the last of which is that it finished or failed."""
        async with aclosing(source):
            async for event in source:
                if isinstance(event, RunFinished):
                    async for one in self._ended(event.reply):
                        yield one
                else:
                    for one in self._translated(event):
                        yield one

    def _translated(self, event: Event) -> Iterator[BaseEvent]:
        if isinstance(event, RunStarted):
            self._run_id = event.run_id
            about = {"treadle": {"runId": event.run_id}}
            yield RunStartedEvent(**self._places, protocol_version="1.0", metadata=about)
        elif isinstance(event, RunFailed):
            yield RunErrorEvent(message=event.error, code="run_failed", usage=_usage(event.usage))
        elif isinstance(event, CallDelta):
            if event.purpose is Purpose.THOUGHT:
                self._thought.add(event.call_id)
                yield from self._say("reasoning", event.text)
            else:
                yield from self._say("text", self._live(event.text))
        elif isinstance(event, CallStarted | CallFinished) and event.name not in self._hidden:
            yield from self._called(event)

    def _called(self, event: CallStarted | CallFinished) -> Iterator[BaseEvent]:
        id_ = _call_id(self._run_id, event.call_id)
        if event.kind is not CallKind.TOOL:
            if isinstance(event, CallFinished) and event.call_id not in self._thought:
                yield from self._say("reasoning", event.thought)
        elif isinstance(event, CallStarted):
            if event.call_id not in self._proposed:
                yield from self._call_events(id_, event.name, event.arguments)
        else:
            self._proposed.discard(event.call_id)
            yield from self._close()
            yield _result_of(id_, event.error or event.text)

    def _call_events(
        self, id_: str, name: str, arguments: Mapping[str, Any]
    ) -> Iterator[BaseEvent]:
        yield from self._close()
        yield ToolCallStartEvent(tool_call_id=id_, tool_call_name=name)
        text = json.dumps(arguments, ensure_ascii=False, default=str)
        yield ToolCallArgsEvent(tool_call_id=id_, delta=text)
        yield ToolCallEndEvent(tool_call_id=id_)

    async def _ended(self, reply: Reply) -> AsyncGenerator[BaseEvent]:
        ending = await ending_of(self._runtime, reply)
        asks = [_interrupt(reply.run_id, one) for one in ending.waits_for]
        for event in await self._refused(ending):
            yield event
        for piece in self._rest(ending.answer):
            for event in self._say("text", piece):
                yield event
        for event in self._close():
            yield event
        for event in self._left_calls(ending):
            yield event
        outcome = (
            RunFinishedInterruptOutcome(interrupts=asks) if asks else RunFinishedSuccessOutcome()
        )
        yield RunFinishedEvent(
            **self._places, outcome=outcome, result=_result(reply), usage=_usage(reply.usage)
        )

    async def _refused(self, ending: Ending) -> list[BaseEvent]:
        """Return the results of calls that were proposed and then refused, which nobody made."""
        left = self._proposed - proposed(ending.waits_for)
        if not left:
            return []
        calls = (await self._runtime.runs.journal(self._run_id)).calls()
        refused = {
            one.call_id: outcome_from_data(one.outcome).error for one in calls if one.outcome
        }
        told = [
            _result_of(_call_id(self._run_id, id_), str(error))
            for id_, error in refused.items()
            if id_ in left and error is not None
        ]
        return [*self._close(), *told]

    def _left_calls(self, ending: Ending) -> Iterator[BaseEvent]:
        """Yield the calls that are the client's to make, and those that wait for leave."""
        for call in ending.calls:
            yield from self._call_events(call.id, call.name, call.arguments)
        for value in (one["value"] for one in ending.waits_for if is_approval(one["value"])):
            if value["call_id"] not in self._proposed:
                id_ = _call_id(self._run_id, value["call_id"])
                yield from self._call_events(id_, value["tool"], value["arguments"])

    def _say(self, kind: str, text: str) -> Iterator[BaseEvent]:
        if not text:
            return
        if self._open != kind:
            yield from self._close()
            self._open = kind
            self._said_so_far += 1
            if kind == "text":
                yield TextMessageStartEvent(message_id=self._id, role="assistant")
            else:
                yield ReasoningStartEvent(message_id=self._id)
                yield ReasoningMessageStartEvent(message_id=self._id)
        if kind == "text":
            yield TextMessageContentEvent(message_id=self._id, delta=text)
        else:
            yield ReasoningMessageContentEvent(message_id=self._id, delta=text)

    def _close(self) -> Iterator[BaseEvent]:
        if self._open == "text":
            yield TextMessageEndEvent(message_id=self._id)
        elif self._open:
            yield ReasoningMessageEndEvent(message_id=self._id)
            yield ReasoningEndEvent(message_id=self._id)
        self._open = ""

    @property
    def _id(self) -> str:
        return f"{self._run_id}-{self._mark}-{self._said_so_far}"

    @property
    def _places(self) -> dict[str, Any]:
        return {"thread_id": self._asked.thread_id, "run_id": self._asked.run_id}


def proposed(waiting: Asked) -> set[str]:
    """Return the calls that wait for leave, as the run that asked for it told them."""
    return {str(one["value"]["call_id"]) for one in waiting if is_approval(one["value"])}


def _result_of(call_id: str, content: str) -> BaseEvent:
    about: dict[str, Any] = {"message_id": f"{call_id}-result", "tool_call_id": call_id}
    return ToolCallResultEvent(**about, content=content, role="tool")


def _call_id(run_id: str, call_id: str) -> str:
    return f"{run_id[:12]}-{call_id}"


def _interrupt(run_id: str, waiting: Mapping[str, Any]) -> Interrupt:
    value = waiting["value"]
    about: dict[str, Any] = {"id": str(waiting["id"]), "metadata": {"value": value}}
    if not is_approval(value):
        return Interrupt(**about, reason="input_required", message=in_words(value))
    return Interrupt(
        **about,
        reason="tool_call",
        tool_call_id=_call_id(run_id, value["call_id"]),
        message=value["message"],
        response_schema=DECISION_SCHEMA,
        expires_at=value["expires"],
    )


def _result(reply: Reply) -> dict[str, Any]:
    return {
        "data": reply.data,
        "stopped": reply.stopped,
        "citations": [citation.to_dict() for citation in reply.citations],
    }


def _usage(usage: Usage) -> list[TokenUsage]:
    return [
        TokenUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cached_input_tokens=usage.cached_input_tokens,
        )
    ]
