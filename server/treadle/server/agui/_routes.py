"""``POST /agui/{agent}``."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from ag_ui.core import BaseEvent, RunFinishedCancelledOutcome, RunFinishedEvent, RunStartedEvent
from ag_ui.encoder import EventEncoder
from fastapi import Path
from fastapi.responses import Response

from treadle.agents import Agent
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.events import Event
from treadle.runtime import Runtime
from treadle.runtime.runs import Run, RunStateError, RunStatus
from treadle.server._deciding import decide
from treadle.server._routing import Router
from treadle.server._sse import EventStream
from treadle.server._turn import begin
from treadle.server._waiting import Asked
from treadle.server.agui._messages import RunInput, check, turn_of
from treadle.server.agui._telling import Translator, proposed
from treadle.server.langgraph import Rt
from treadle.server.security import Ownership, current_principal

AgentName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
_LATEST = 20
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The run's events.", "content": {"text/event-stream": {}}}
}
agui_router = Router(prefix="/agui", tags=["agui"])
"""The protocol's routes."""


@agui_router.post("/{agent}", responses=_STREAM, response_class=Response)
async def run(rt: Rt, agent: AgentName, asked: RunInput) -> EventStream:
    """Run an agent on a thread, and read the run's events; the run ends when the client leaves."""
    known = current_principal().askable(rt.agents())
    if agent not in known:
        raise UnknownNameError("agent", agent, known)
    check(asked)
    source = await _events(rt, rt.agent(agent), asked)
    first = await anext(source)  # What is wrong with the request is told as a problem.
    return EventStream(_written(first, source))


async def _events(rt: Runtime, agent: Agent, asked: RunInput) -> AsyncGenerator[BaseEvent]:
    if not asked.resume:
        is_new = not await rt.threads.exists(asked.thread_id)
        turn = turn_of(agent, asked, is_new=is_new)
        return Translator(rt, turn.agent, asked).events((await begin(rt, turn, pieces=True))[0])
    waiting = await _waiting(rt, agent, asked)
    if all(entry.status == "cancelled" for entry in asked.resume):
        return _cancelled(rt, waiting, asked)
    asks = await rt.runs.interrupts(waiting.id)
    events = await _resumed(rt, waiting, asks, asked)
    return Translator(rt, agent, asked, proposed=proposed(asks)).events(events)


async def _waiting(rt: Runtime, agent: Agent, asked: RunInput) -> Run:
    """Return the run of the thread that waits.

    Raises:
        UnknownNameError: there is no such thread, for this caller.
        RunStateError: nothing waits on it.
    """
    is_there = await rt.threads.exists(asked.thread_id)
    if not is_there or not await Ownership(rt).sees(asked.thread_id):
        raise UnknownNameError("thread", asked.thread_id, None)
    for found in await rt.runs.recent(_LATEST, thread=asked.thread_id):
        if found.status is RunStatus.INTERRUPTED and found.agent == agent.name:
            return found
    raise RunStateError(f"No run of the thread {asked.thread_id!r} waits for an answer.")


async def _resumed(
    rt: Runtime, waiting: Run, asks: Asked, asked: RunInput
) -> AsyncGenerator[Event]:
    entries = {entry.interrupt_id: entry for entry in asked.resume or ()}
    interrupts = [str(one["id"]) for one in asks]
    if unknown := sorted(set(entries) - set(interrupts)):
        raise InputError(
            f"resume: the run waits at no interrupt {unknown[0]!r}.",
            hint=f"It waits at {', '.join(interrupts)}.",
        )
    if abandoned := [id_ for id_, entry in entries.items() if entry.status == "cancelled"]:
        raise InputError(
            f"resume: {abandoned[0]!r} is cancelled and others are not.",
            hint="Cancel all of them to stop the run.",
        )
    given = await decide(rt, asks, {id_: entry.payload for id_, entry in entries.items()})
    return rt.stream_resumed(waiting.id, given or None)


async def _cancelled(rt: Runtime, waiting: Run, asked: RunInput) -> AsyncGenerator[BaseEvent]:
    await rt.queue.cancel(waiting.id)
    places: dict[str, Any] = {"thread_id": asked.thread_id, "run_id": asked.run_id}
    yield RunStartedEvent(**places, protocol_version="1.0")
    yield RunFinishedEvent(**places, outcome=RunFinishedCancelledOutcome())


async def _written(first: BaseEvent, source: AsyncGenerator[BaseEvent]) -> AsyncGenerator[bytes]:
    encoder = EventEncoder()
    async with aclosing(source):
        yield encoder.encode(first).encode()
        async for event in source:
            yield encoder.encode(event).encode()
