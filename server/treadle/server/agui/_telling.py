"""A run's events in the protocol's words."""

import uuid
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from typing import Any

from ag_ui.core import (
    BaseEvent,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
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
from treadle.core.shareable import shareable
from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.runtime.journal import outcome_from_data
from treadle.server._telling import Teller, hidden_of, is_live
from treadle.server._turn import Ending, ending_of
from treadle.server.agui._messages import RunInput
from treadle.server.agui._snapshots import shared_state
from treadle.server.agui._wording import (
    call_events,
    call_id,
    left_calls,
    outcome_of,
    proposed,
    result_event,
)


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
        self._agent = agent
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
            said, spent = shareable(event.error), _usage(event.usage)
            yield RunErrorEvent(message=said, code="run_failed", usage=spent)
        elif isinstance(event, CallDelta):
            if event.purpose is Purpose.THOUGHT:
                self._thought.add(event.call_id)
                yield from self._say("reasoning", event.text)
            else:
                yield from self._say("text", self._live(event.text))
        elif isinstance(event, CallStarted | CallFinished) and event.name not in self._hidden:
            yield from self._called(event)

    def _called(self, event: CallStarted | CallFinished) -> Iterator[BaseEvent]:
        id_ = call_id(self._run_id, event.call_id)
        if event.kind is not CallKind.TOOL:
            if isinstance(event, CallFinished) and event.call_id not in self._thought:
                yield from self._say("reasoning", event.thought)
        elif isinstance(event, CallStarted):
            if event.call_id not in self._proposed:
                yield from self._close()
                yield from call_events(id_, event.name, event.arguments)
        else:
            self._proposed.discard(event.call_id)
            yield from self._close()
            yield result_event(id_, event.error or event.text)

    async def _ended(self, reply: Reply) -> AsyncGenerator[BaseEvent]:
        ending = await ending_of(self._runtime, reply)
        for event in await self._refused(ending):
            yield event
        for piece in self._rest(ending.answer):
            for event in self._say("text", piece):
                yield event
        for event in self._close():
            yield event
        for event in left_calls(self._run_id, ending, self._proposed):
            yield event
        for event in await shared_state(self._runtime, self._agent, self._asked):
            yield event
        told: dict[str, Any] = {"result": _result(reply), "usage": _usage(reply.usage)}
        yield RunFinishedEvent(**self._places, outcome=outcome_of(self._run_id, ending), **told)

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
            result_event(call_id(self._run_id, id_), str(error))
            for id_, error in refused.items()
            if id_ in left and error is not None
        ]
        return [*self._close(), *told]

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
