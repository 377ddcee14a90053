"""A run's events in the protocol's words."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
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
from treadle.server.agui._messages import RunInput
from treadle.server.openai._telling import Teller, hidden_of, is_live
from treadle.server.openai._turn import ending_of


class Translator(Teller):
    """Tells what happens in a run: text, reasoning and calls, each begun and ended in turn.

    Args:
        runtime: the caller's runtime.
        agent: the agent.
        asked: the request, whose thread and run the events name.
    """

    def __init__(self, runtime: Runtime, agent: Agent, asked: RunInput) -> None:
        super().__init__(hidden_of(agent), is_live=is_live(agent))
        self._runtime = runtime
        self._asked = asked
        self._run_id = ""
        self._open = ""
        self._said_so_far = 0

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
        id_ = f"{self._run_id[:12]}-{event.call_id}"
        if event.kind is not CallKind.TOOL:
            if isinstance(event, CallFinished) and event.call_id not in self._thought:
                yield from self._say("reasoning", event.thought)
        elif isinstance(event, CallStarted):
            yield from self._call_events(id_, event.name, event.arguments)
        else:
            yield from self._close()
            content = event.error or event.text
            yield ToolCallResultEvent(
                message_id=f"{id_}-result", tool_call_id=id_, content=content, role="tool"
            )

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
        asks = [_interrupt(one) for one in ending.waits_for]
        for piece in self._rest(ending.answer):
            for event in self._say("text", piece):
                yield event
        for event in self._close():
            yield event
        for call in ending.calls:
            for event in self._call_events(call.id, call.name, call.arguments):
                yield event
        outcome = (
            RunFinishedInterruptOutcome(interrupts=asks) if asks else RunFinishedSuccessOutcome()
        )
        yield RunFinishedEvent(
            **self._places, outcome=outcome, result=_result(reply), usage=_usage(reply.usage)
        )

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
        return f"{self._run_id}-{self._said_so_far}"

    @property
    def _places(self) -> dict[str, Any]:
        return {"thread_id": self._asked.thread_id, "run_id": self._asked.run_id}


def _interrupt(waiting: Mapping[str, Any]) -> Interrupt:
    value = waiting["value"]
    said = value.get("message") if isinstance(value, Mapping) else value
    return Interrupt(
        id=str(waiting["id"]),
        reason="approval" if is_approval(value) else "input_required",
        message=said if isinstance(said, str) else None,
        expires_at=value.get("expires") if is_approval(value) else None,
        metadata={"value": value},
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
