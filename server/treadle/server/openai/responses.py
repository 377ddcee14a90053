"""``/v1/responses``: asking for one."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from treadle.agents import Agent, ClientTool
from treadle.core.errors import InputError, UnknownNameError
from treadle.runtime import Runtime
from treadle.server._serving import Served
from treadle.server._sse import EventStream
from treadle.server._telling import Started
from treadle.server._turn import Turn, adapted, waiting
from treadle.server.langgraph import Rt
from treadle.server.openai._answering import Told, places, told, while_connected
from treadle.server.openai._background import put_into_background
from treadle.server.openai._failures import FailedRequestError, without_answer
from treadle.server.openai._items import Event
from treadle.server.openai._kept import (
    followed,
    keep_beginning,
    keep_end,
    last_number,
    response_of,
    settle,
    written,
)
from treadle.server.openai._making import Head, Making, parsed_id, response_id
from treadle.server.openai._response_fields import (
    Conversation,
    ResponseRequest,
    SchemaFormat,
)
from treadle.server.security import Ownership, memory_user

router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/responses")
async def respond(rt: Rt, served: Served, request: Request, body: ResponseRequest) -> Response:
    """Ask an agent, and go on with a conversation where one is named."""
    turn = await _turn(rt, served.agent_to_talk_with(rt, body.model, "model"), body)
    if body.background:
        one = await put_into_background(rt, turn, body)
        headers = places(one.run.thread_id, one.run.id)
        if body.stream:
            return EventStream(followed(rt, one, -1), headers)
        return JSONResponse(await response_of(rt, one), headers=headers)
    making = _events(rt, turn, body)
    try:
        if not body.stream:
            head, whole = await while_connected(request, _whole(making))
            return JSONResponse(whole, headers=places(head.thread_id, head.run_id))
        head, first = await anext(making)
        return EventStream(_stream(first, making), places(head.thread_id, head.run_id))
    except FailedRequestError as error:
        return error.answer()


async def _turn(rt: Runtime, asked: Agent, body: ResponseRequest) -> Turn:
    chosen = body.text.format if body.text else None
    agent = adapted(
        asked,
        instructions="\n\n".join(body.instruction_texts()),
        tools=[
            ClientTool(
                name=tool.name,
                description=tool.description or "",
                parameters=tool.parameters or {"type": "object", "properties": {}},
            )
            for tool in (body.tools or () if body.tool_choice != "none" else ())
        ],
        output=chosen.schema_ if isinstance(chosen, SchemaFormat) else None,
        max_tokens=body.max_output_tokens,
    )
    settings = body.asked_settings().taken_by(rt, body.model)
    thread_id = await _thread(rt, body)
    keep = body.store is not False or thread_id is not None
    user = memory_user(body.user)
    return Turn(agent, body.messages(), thread_id, user, keep, settings=settings)


async def _thread(rt: Runtime, body: ResponseRequest) -> str | None:
    """Return the thread to go on with; ``None`` for a new one."""
    named = body.conversation.id if isinstance(body.conversation, Conversation) else None
    named = body.conversation if isinstance(body.conversation, str) else named
    previous = body.previous_response_id
    if previous is None:
        return named
    if named is not None:
        raise InputError("Name a conversation or a previous_response_id, not both.")
    run_id, number = parsed_id(previous)
    try:
        run = await rt.runs.get(run_id)
    except UnknownNameError:
        raise UnknownNameError("response", previous, None) from None
    if not await Ownership(rt).sees(run.thread_id):
        raise UnknownNameError("response", previous, None)
    [last] = await rt.runs.recent(1, thread=run.thread_id)
    latest = await last_number(rt, last)
    if last.id != run.id or latest > number:
        raise InputError(
            f"The conversation of {previous!r} has gone on since.",
            hint=f"Its last response is {response_id(last.id, latest)}.",
        )
    return run.thread_id


async def _events(
    rt: Runtime, turn: Turn, body: ResponseRequest
) -> AsyncGenerator[tuple[Head, Event]]:
    """Yield each event of a response as it is made; what is to be kept is, before its end is told.

    Raises:
        FailedRequestError: the run failed; that was told.
    """
    if (answering := await waiting(rt, turn)) is not None:
        await settle(rt, answering.run)
    async with aclosing(told(rt, turn, pieces=bool(body.stream))) as source:
        started = await anext(source)
        assert isinstance(started, Started)  # noqa: S101 - it is what every run begins with
        about = (started.run_id, started.thread_id, started.number)
        head = Head(*about, int(time.time()), body.as_asked())
        if body.store is not False:
            await keep_beginning(rt, head, is_threads_own=turn.thread_id is None)
        events = head.first_events()
        for event in tuple(events):
            yield head, event
        async with aclosing(_made(Making(rt, head), source)) as made:
            async for event in made:
                events.append(event)
                if event["type"] in _ENDS and body.store is not False:
                    await keep_end(rt, head, events)
                yield head, event


async def _made(making: Making, source: AsyncGenerator[Told]) -> AsyncGenerator[Event]:
    """Yield the events of a response, to its end.

    Raises:
        FailedRequestError: the run failed; that was told.
    """
    try:
        async for one in source:
            for event in await making.events(one):
                yield event
    except FailedRequestError as error:
        yield making.failed(error.in_response())
        raise


async def _whole(made: AsyncGenerator[tuple[Head, Event]]) -> tuple[Head, dict[str, Any]]:
    """Return a response at its end.

    Raises:
        FailedRequestError: its run failed.
    """
    async with aclosing(made) as events:
        async for head, event in events:
            if event["type"] in _ANSWERED:
                return head, event["response"]
    raise without_answer()


async def _stream(first: Event, made: AsyncGenerator[tuple[Head, Event]]) -> AsyncGenerator[bytes]:
    yield written(first, 0)
    number = 0
    with suppress(FailedRequestError):  # The last event tells of it.
        async with aclosing(made) as events:
            async for _, event in events:
                number += 1
                yield written(event, number)


_ANSWERED = frozenset({"response.completed", "response.incomplete"})
_ENDS = _ANSWERED | {"response.failed"}
