"""Responses that are kept: read again, followed, stopped and removed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from treadle.core.errors import TreadleError, UnknownNameError
from treadle.runtime import Event as RunEvent
from treadle.runtime import Runtime
from treadle.runtime.runs import ENDS, Run, RunStateError, RunStatus
from treadle.server._sse import sse
from treadle.server._telling import FailedError, Teller
from treadle.server.openai._failures import FailedRequestError
from treadle.server.openai._items import Event
from treadle.server.openai._making import Head, Making, parsed_id, response_id
from treadle.server.openai._response_fields import ResponseRequest
from treadle.server.security import Ownership

_STOP_SECONDS = 10
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A response that is kept.

    Attributes:
        run: the run that makes or made it.
        head: what is known of it from its beginning on.
        is_threads_own: whether its conversation began with it and was named by nobody.
        events: what told of it, where that was kept at its end.
    """

    run: Run
    head: Head
    is_threads_own: bool
    events: Sequence[Event] | None


async def keep_beginning(rt: Runtime, head: Head, *, is_threads_own: bool) -> None:
    """Keep what was asked, so that the response is found from now on."""
    about = {"asked": head.asked, "created": head.created, "own": is_threads_own}
    await rt.runs.keep_answer(head.thread_id, head.run_id, {f"{head.number}:asked": about})


async def keep_end(rt: Runtime, head: Head, events: Sequence[Event]) -> None:
    """Keep the events that told of a response, the last one among them."""
    kept = {f"{head.number}:events": list(events)}
    await rt.runs.keep_answer(head.thread_id, head.run_id, kept)


async def kept(rt: Runtime, name: str) -> Kept:
    """Return a response.

    Raises:
        UnknownNameError: there is none, it was not to be stored, or it is another's.
    """
    run_id, number = parsed_id(name)
    try:
        run = await rt.runs.get(run_id)
    except UnknownNameError:
        raise UnknownNameError("response", name, None) from None
    found = await rt.runs.kept_answer(run) if await Ownership(rt).sees(run.thread_id) else {}
    about = found.get(f"{number}:asked")
    if about is None:
        raise UnknownNameError("response", name, None)
    head = Head(run.id, run.thread_id, number, about["created"], about["asked"])
    return Kept(run, head, about["own"], found.get(f"{number}:events"))


async def last_number(rt: Runtime, run: Run) -> int:
    """Return which answer of a run was the last, as far as they are kept."""
    found = await rt.runs.kept_answer(run)
    return max((int(name.partition(":")[0]) for name in found), default=1)


async def settle(rt: Runtime, run: Run) -> None:
    """Keep how a run's last response ended, before the run goes on with what follows it."""
    with suppress(UnknownNameError):  # It was not to be stored.
        one = await kept(rt, response_id(run.id, await last_number(rt, run)))
        if one.events is None:
            await keep_end(rt, one.head, await _events(rt, one))


async def response_of(rt: Runtime, one: Kept) -> dict[str, Any]:
    """Return a response as it is by now."""
    if one.events is None and not await _is_over(rt, one):
        return one.head.response("queued" if one.run.status is RunStatus.PENDING else "in_progress")
    response: dict[str, Any] = (await _events(rt, one))[-1]["response"]
    return response


async def followed(rt: Runtime, one: Kept, after: int) -> AsyncGenerator[bytes]:
    """Yield the events of a response after a sequence number, to the last, as they happen."""
    number = -1
    try:
        async with aclosing(_followed(rt, one)) as events:
            async for number, event in events:
                if number > after:
                    yield written(event, number)
    except TreadleError as error:  # It was forgotten meanwhile, or Redis is gone.
        told = {"type": "error", "message": str(error), "code": "server_error", "param": None}
        yield written(told, number + 1)


def written(event: Event, number: int) -> bytes:
    """Return an event of a response as it is sent."""
    return sse({**event, "sequence_number": number}, event=event["type"])


async def stop(rt: Runtime, one: Kept) -> Kept:
    """Stop a response that is made in the background; one that is at its end stays as it is.

    Raises:
        RunStateError: it is not made in the background.
    """
    if not one.head.is_background:
        raise RunStateError(
            f"The response {one.head.id} is not made in the background.",
            hint="Whoever asked for it stops it by closing the connection.",
        )
    if one.run.status not in ENDS:
        with suppress(RunStateError):  # It came to its end meanwhile.
            await rt.queue.cancel(one.run.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await rt.queue.wait(one.run.id)
    return await kept(rt, one.head.id)


async def remove(rt: Runtime, one: Kept) -> None:
    """Remove a response with its run, and its conversation where that was never named.

    Raises:
        RunStateError: it is being made.
    """
    if not await _is_over(rt, one):
        raise RunStateError(
            f"The response {one.head.id} is being made.", hint="Cancel it, or wait for its end."
        )
    others = await rt.runs.recent(2, thread=one.run.thread_id)
    if one.is_threads_own and len(others) == 1:
        with suppress(UnknownNameError):
            await rt.forget_thread(one.run.thread_id)
            return
    await rt.runs.remove(one.run.id)


async def _followed(rt: Runtime, one: Kept) -> AsyncGenerator[tuple[int, Event]]:
    first = one.head.first_events()
    if one.events is None and not await _is_over(rt, one):
        async with rt.queue.beginnings(one.run.thread_id) as bell:
            for number, event in enumerate(first[:-1]):
                yield number, event
            while (await rt.runs.get(one.run.id)).status is RunStatus.PENDING:
                await bell.wait(_LOOK_SECONDS)
        yield len(first) - 1, first[-1]
        await rt.queue.wait(one.run.id)
        whole = (await _events(rt, await kept(rt, one.head.id)))[len(first) :]
        for number, event in enumerate(whole, len(first)):
            yield number, event
        return
    for number, event in enumerate(await _events(rt, one)):
        yield number, event


async def _is_over(rt: Runtime, one: Kept) -> bool:
    if one.events is not None or one.run.status in ENDS:
        return True
    return not one.head.is_background and not await rt.is_busy(one.run.thread_id)


async def _events(rt: Runtime, one: Kept) -> Sequence[Event]:
    """Return the events of a response that is at its end."""
    if one.events is not None:
        return one.events
    making = Making(rt, one.head)
    told = one.head.first_events()
    hidden = {tool["name"] for tool in one.head.asked.get("tools", ())}
    try:
        async for said in Teller(hidden).tell(_each(await rt.runs.events(one.run.id))):
            told += await making.events(said)
    except FailedError as error:
        if one.run.status is RunStatus.CANCELLED:
            return [*told, making.cancelled()]
        body = ResponseRequest.model_validate(one.head.asked)
        failure = FailedRequestError(error, body.asked_settings())
        return [*told, making.failed(failure.in_response())]
    if one.run.status not in ENDS:
        return [*told, making.failed(_failed("The process that made it died."))]
    return told if "response" in told[-1] else [*told, making.cancelled()]


def _failed(why: str) -> dict[str, str]:
    return {"code": "server_error", "message": why}


async def _each(events: Sequence[RunEvent]) -> AsyncGenerator[RunEvent]:
    for event in events:
        yield event
