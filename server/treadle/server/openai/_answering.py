"""Running what answers a request, for as long as somebody waits for it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import Request

from treadle.core.errors import UnknownNameError
from treadle.core.events import Event, Reply
from treadle.core.tasks import stopped
from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.server._problems import ProblemError
from treadle.server._telling import Ended, FailedError, Said, Started, Teller
from treadle.server._turn import Ending, Turn, begin
from treadle.server._turn import ending_of as told_at_end
from treadle.server.openai._failures import FailedRequestError

T = TypeVar("T")
Told = Started | Said | Ended
GONE = 499
"""What is noted where the client left; nobody is there to read it."""


async def told(rt: Runtime, turn: Turn, *, pieces: bool) -> AsyncGenerator[Told]:
    """Yield what is told of a turn; a thread that is not to be kept is forgotten at its end.

    Raises:
        FailedRequestError: the run failed.
        TreadleError: it could not begin.
    """
    events, number = await begin(rt, turn, pieces=pieces)
    try:
        async with aclosing(_told(rt, turn, events, number)) as telling:
            async for one in telling:
                yield one
    except FailedError as error:
        raise FailedRequestError(error, turn.settings) from error


async def _told(
    rt: Runtime, turn: Turn, events: AsyncGenerator[Event], number: int
) -> AsyncGenerator[Told]:
    thread_id = ""
    async with aclosing(Teller.of(turn.agent).tell(events)) as telling:
        async for one in telling:
            if isinstance(one, Started):
                thread_id = one.thread_id
                yield replace(one, number=number)
                continue
            # Before its end is told: whoever hears of it may listen no longer.
            if isinstance(one, Ended) and not turn.keep and not one.reply.is_question:
                with suppress(UnknownNameError):
                    await rt.forget_thread(thread_id)
            yield one


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do work until the client leaves; then it is cancelled.

    Raises:
        ProblemError: the client left.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ProblemError(GONE, "The client left.")
        return working.result()
    finally:
        await stopped(working, leaving)


def cut_by(reply: Reply) -> Literal["length", "content_filter"] | None:
    """Return why an answer is not whole, as chat completions say it; ``None`` where it is."""
    return _CUTS.get(reply.stopped.partition(":")[0])


_CUTS: Mapping[str, Literal["length", "content_filter"]] = {
    "budget": "length",
    "length": "length",
    "content_filter": "content_filter",
}


async def ending_of(rt: Runtime, reply: Reply) -> Ending:
    """Return what is told at the end of a run, or where it waits; why it was cut is told apart."""
    if cut_by(reply) and not reply.text and reply.data is None:
        return Ending("")
    return await told_at_end(rt, reply)


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return what a run cost, as chat completions say it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def annotations_of(text: str, reply: Reply) -> list[dict[str, Any]]:
    """Return where the text cites which source."""
    found: list[dict[str, Any]] = []
    for citation in reply.citations:
        mark = f"[{citation.number}]"
        at = text.find(mark)
        while at >= 0:
            about = {"url": citation.source.uri, "title": citation.source.title}
            found.append({"start_index": at, "end_index": at + len(mark), **about})
            at = text.find(mark, at + 1)
    return found


def places(thread_id: str, run_id: str) -> dict[str, str]:
    """Return the headers that say where an answer is kept."""
    return {"X-Thread-Id": quote(thread_id, safe="!#$&'()*+,/:;=?@[]~ "), "X-Run-Id": run_id}


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
