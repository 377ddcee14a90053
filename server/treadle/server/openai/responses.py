"""``/v1/responses``."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from treadle.agents import ClientTool
from treadle.core.errors import InputError, UnknownNameError
from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.server._openai_errors import error_of
from treadle.server._sse import EventStream, sse
from treadle.server.langgraph import Rt
from treadle.server.openai._answering import (
    Told,
    annotations_of,
    failed,
    is_cut,
    places,
    told,
    while_connected,
)
from treadle.server.openai._items import Event, Items
from treadle.server.openai._response_fields import Conversation, ResponseRequest, SchemaFormat
from treadle.server.openai._telling import Ended, FailedError, Said, Started, content_of
from treadle.server.openai._turn import Turn, adapted, agent_named, calls_of
from treadle.server.security import Ownership, memory_user

_PREFIX = "resp_"
router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/responses")
async def respond(rt: Rt, request: Request, body: ResponseRequest) -> Response:
    """Ask an agent, and go on with a conversation where one is named."""
    turn = await _turn(rt, body)
    source = told(rt, turn, pieces=bool(body.stream))
    try:
        if not body.stream:
            whole = await while_connected(request, _whole(rt, body, source))
            return JSONResponse(whole, headers=_places(whole))
        started = await anext(source)
        assert isinstance(started, Started)  # noqa: S101 - it is what every run begins with
        making = _Making(rt, body, started)
        return EventStream(_stream(making, source), _places(making.response("in_progress")))
    except FailedError as error:
        return failed(error)


async def _turn(rt: Runtime, body: ResponseRequest) -> Turn:
    chosen = body.text.format if body.text else None
    agent = adapted(
        agent_named(rt, body.model),
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
    thread_id = await _thread(rt, body)
    keep = body.store is not False or thread_id is not None
    return Turn(agent, body.messages(), thread_id, memory_user(body.user), keep)


async def _thread(rt: Runtime, body: ResponseRequest) -> str | None:
    """Return the thread to go on with; ``None`` for a new one."""
    named = body.conversation.id if isinstance(body.conversation, Conversation) else None
    named = body.conversation if isinstance(body.conversation, str) else named
    previous = body.previous_response_id
    if previous is None:
        return named
    if named is not None:
        raise InputError("Name a conversation or a previous_response_id, not both.")
    try:
        run = await rt.runs.get(previous.removeprefix(_PREFIX))
    except UnknownNameError:
        raise UnknownNameError("response", previous, ()) from None
    if not await Ownership(rt).sees(run.thread_id):
        raise UnknownNameError("response", previous, ())
    [last] = await rt.runs.recent(1, thread=run.thread_id)
    if last.id != run.id:
        raise InputError(
            f"The conversation of {previous!r} has gone on since.",
            hint=f"Its last response is {_PREFIX}{last.id}.",
        )
    return run.thread_id


class _Making:
    """A response while it is made."""

    def __init__(self, rt: Runtime, body: ResponseRequest, started: Started) -> None:
        self._rt = rt
        self._body = body
        self._started = started
        self._created = int(time.time())
        self._items = Items(started.run_id)
        self._has_text = False

    async def events(self, one: Told) -> list[Event]:
        """Return what is to be told of what was told."""
        if isinstance(one, Said):
            self._has_text = self._has_text or one.kind == "text"
            add = self._items.reasoning if one.kind == "reasoning" else self._items.text
            return list(add(one.text))
        return [event async for event in self._end(one)] if isinstance(one, Ended) else []

    async def _end(self, ended: Ended) -> AsyncGenerator[Event]:
        reply = ended.reply
        calls = await calls_of(self._rt, reply.run_id) if reply.stopped else []
        text = content_of(reply, is_handed_over=bool(calls))
        for event in self._last_text(text):
            yield event
        found = [{"type": "url_citation", **one} for one in annotations_of(text, reply)]
        for event in self._items.close(found):
            yield event
        for call in calls:
            for event in self._items.call(call):
                yield event
        kind = "incomplete" if is_cut(reply) else "completed"
        response = self.response(kind, reply.usage)
        yield {"type": f"response.{kind}", "response": response}

    def _last_text(self, text: str) -> Iterator[Event]:
        if text and not self._has_text:
            yield from self._items.text(text)

    def response(self, status: str, usage: Usage | None = None) -> dict[str, Any]:
        """Return the response as it is by now."""
        body = self._body
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": f"{_PREFIX}{self._started.run_id}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": cut,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "model": body.model,
            "output": list(self._items.done),
            "parallel_tool_calls": True,
            "previous_response_id": body.previous_response_id,
            "conversation": {"id": self._started.thread_id},
            "store": body.store is not False,
            "temperature": None,
            "top_p": None,
            "tool_choice": body.tool_choice or "auto",
            "tools": [tool.model_dump() for tool in body.tools or ()],
            "text": body.text.model_dump(by_alias=True) if body.text else None,
            "truncation": "disabled",
            "metadata": body.metadata or {},
            "user": body.user,
            "usage": _usage(usage) if usage else None,
        }


async def _whole(
    rt: Runtime, body: ResponseRequest, source: AsyncGenerator[Told]
) -> dict[str, Any]:
    making: _Making | None = None
    last: Event | None = None
    async with aclosing(source):
        async for one in source:
            if isinstance(one, Started):
                making = _Making(rt, body, one)
            elif making is not None and (events := await making.events(one)):
                last = events[-1]
    if last is None or "response" not in last:
        raise FailedError("The run ended without an answer.")
    response: dict[str, Any] = last["response"]
    return response


async def _stream(making: _Making, source: AsyncGenerator[Told]) -> AsyncGenerator[bytes]:
    number = 0

    def written(event: Event) -> bytes:
        nonlocal number
        number += 1
        return sse({**event, "sequence_number": number - 1}, event=event["type"])

    for kind in ("response.created", "response.in_progress"):
        yield written({"type": kind, "response": making.response("in_progress")})
    try:
        async with aclosing(source):
            async for one in source:
                for event in await making.events(one):
                    yield written(event)
    except FailedError as error:
        told_error = error_of(500, str(error), code="run_failed")
        response = {**making.response("failed"), "error": told_error}
        yield written({"type": "response.failed", "response": response})


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _places(response: dict[str, Any]) -> dict[str, str]:
    run_id = str(response["id"]).removeprefix(_PREFIX)
    return places(str(response["conversation"]["id"]), run_id)
