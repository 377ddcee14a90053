"""``POST /agui/{agent}``."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from ag_ui.core import BaseEvent, RunFinishedCancelledOutcome, RunFinishedEvent, RunStartedEvent
from ag_ui.encoder import EventEncoder
from fastapi import APIRouter, Path
from fastapi.responses import Response

from treadle.agents import Agent
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.events import Event
from treadle.runtime import Runtime
from treadle.runtime.runs import Run
from treadle.server._deciding import decide
from treadle.server._serving import Served
from treadle.server._sse import EventStream
from treadle.server._turn import begin
from treadle.server._waiting import Asked
from treadle.server.agui._messages import RunInput, check, turn_of
from treadle.server.agui._snapshots import check_state, restored
from treadle.server.agui._telling import Translator
from treadle.server.agui._wording import proposed
from treadle.server.langgraph import Rt
from treadle.server.security import Ownership

AgentName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The run's events.", "content": {"text/event-stream": {}}}
}
agui_router = APIRouter(prefix="/agui", tags=["agui"])
"""The protocol's routes."""


@agui_router.post("/{agent}", responses=_STREAM, response_class=Response)
async def run(rt: Rt, served: Served, agent: AgentName, asked: RunInput) -> EventStream:
    """Run an agent on a thread, and read the run's events; the run ends when the client leaves."""
    found = served.agent_to_talk_with(rt, agent)
    check(asked)
    source = await _events(rt, found, asked)
    first = await anext(source)  # What is wrong with the request is told as a problem.
    return EventStream(_written(first, source))


async def _events(rt: Runtime, agent: Agent, asked: RunInput) -> AsyncGenerator[BaseEvent]:
    is_there = await rt.threads.exists(asked.thread_id)
    sees = await Ownership(rt).sees(asked.thread_id)
    if asked.resume or (is_there and not asked.messages):
        if not is_there or not sees:
            raise UnknownNameError("thread", asked.thread_id, None)
        await check_state(rt, agent, asked)
        return await _gone_on(rt, agent, asked)
    if sees or not is_there:
        await check_state(rt, agent, asked)
    turn = turn_of(agent, asked, is_new=not is_there)
    return Translator(rt, turn.agent, asked).events((await begin(rt, turn, pieces=True))[0])


async def _gone_on(rt: Runtime, agent: Agent, asked: RunInput) -> AsyncGenerator[BaseEvent]:
    """Go on with the run that waits as is said, or tell how the thread stands."""
    run = await rt.runs.waiting_on(asked.thread_id)
    run = run if run is not None and run.agent == agent.name else None
    if not asked.resume:
        return restored(rt, agent, asked, run)
    if run is None:
        # It was answered already, perhaps by somebody else: the page is told what came of it.
        return restored(rt, agent, asked, None, "resume: no run waits for an answer.")
    if all(entry.status == "cancelled" for entry in asked.resume):
        return _cancelled(rt, run, asked)
    asks = await rt.runs.interrupts(run.id)
    events = await _resumed(rt, run, asks, asked)
    return Translator(rt, agent, asked, proposed=proposed(asks)).events(events)


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
