"""``/runs`` and ``/threads/{thread_id}/runs``: executing graphs, and following them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from treadle.core.errors import RunError
from treadle.runtime.events import check_event_id
from treadle.runtime.queue import StreamMode
from treadle.runtime.runs import Run
from treadle.server._sse import EventStream
from treadle.server.langgraph._answers import (
    Id,
    Route,
    answered,
    answered_text,
    chosen,
    no_content,
)
from treadle.server.langgraph._run_bodies import (
    BatchedRun,
    CancelNamed,
    CancelStanding,
    JoinQuery,
    RunCreate,
    RunQuery,
)
from treadle.server.langgraph._runs import ProtocolRuns
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._thread_stream import ThreadMode, ThreadStream
from treadle.server.langgraph._threads import ProtocolThreads

FROM_THE_BEGINNING = "-1"
_LOOK_SECONDS = 0.5

router = APIRouter(tags=["runs"], route_class=Route)

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)]
Action = Literal["interrupt", "rollback"]


@router.post("/threads/{thread_id}/runs")
async def create(rt: Rt, thread_id: Id, body: RunCreate) -> Response:
    """Queue a run on a thread."""
    runs = ProtocolRuns(rt)
    run, _ = await runs.create(body, thread_id, stream=True)
    return answered_with(await runs.described(run), run)


@router.post("/runs")
async def create_stateless(rt: Rt, body: RunCreate) -> Response:
    """Queue a run on a thread of its own."""
    runs = ProtocolRuns(rt)
    run, _ = await runs.create(body, None, stream=True)
    return answered_with(await runs.described(run), run)


@router.post("/runs/batch")
async def create_batch(rt: Rt, bodies: list[BatchedRun]) -> Response:
    """Queue several runs, each on a thread of its own."""
    runs = ProtocolRuns(rt)
    made = [await runs.create(body, None, stream=True) for body in bodies]
    return answered([await runs.described(run) for run, _ in made])


@router.post("/threads/{thread_id}/runs/wait")
async def wait(rt: Rt, request: Request, thread_id: Id, body: RunCreate) -> Response:
    """Queue a run on a thread, and answer with the state it leaves."""
    run, _ = await ProtocolRuns(rt).create(body, thread_id, values=True)
    return await _made(rt, request, body, run)


@router.post("/runs/wait")
async def wait_stateless(rt: Rt, request: Request, body: RunCreate) -> Response:
    """Queue a run on a thread of its own, and answer with the state it leaves."""
    run, _ = await ProtocolRuns(rt).create(body, None, values=True)
    return await _made(rt, request, body, run)


@router.post("/threads/{thread_id}/runs/stream", response_class=EventStream, status_code=200)
async def stream(rt: Rt, request: Request, thread_id: Id, body: RunCreate) -> Response:
    """Queue a run on a thread, and stream it."""
    runs = ProtocolRuns(rt)
    run, after = await runs.create(body, thread_id, stream=True)
    return _streamed(
        rt, request, run, after, is_cancelled_with_client=body.on_disconnect == "cancel"
    )


@router.post("/runs/stream", response_class=EventStream, status_code=200)
async def stream_stateless(rt: Rt, request: Request, body: RunCreate) -> Response:
    """Queue a run on a thread of its own, and stream it."""
    run, after = await ProtocolRuns(rt).create(body, None, stream=True)
    return _streamed(
        rt, request, run, after, is_cancelled_with_client=body.on_disconnect == "cancel"
    )


@router.get("/threads/{thread_id}/runs")
async def of_thread(rt: Rt, thread_id: Id, query: Annotated[RunQuery, Query()]) -> Response:
    """List the runs of a thread, newest first, each with the selected fields."""
    runs = ProtocolRuns(rt)
    found = await runs.of_thread(thread_id, query.status)
    page = found[query.offset : query.offset + query.limit]
    return answered([chosen(await runs.described(run), query.select) for run in page])


@router.get("/threads/{thread_id}/runs/{run_id}")
async def get(rt: Rt, thread_id: Id, run_id: Id) -> Response:
    """Return a run."""
    runs = ProtocolRuns(rt)
    return answered(await runs.described(await runs.get(thread_id, run_id)))


@router.delete("/threads/{thread_id}/runs/{run_id}", status_code=204)
async def delete(rt: Rt, thread_id: Id, run_id: Id) -> Response:
    """Remove a run that is at its end, with its journal."""
    await ProtocolRuns(rt).get(thread_id, run_id)
    await rt.runs.remove(run_id)
    return no_content()


@router.get("/threads/{thread_id}/runs/{run_id}/join")
async def join(
    rt: Rt, request: Request, thread_id: Id, run_id: Id, cancel_on_disconnect: bool = False
) -> Response:
    """Wait for a run's end, and answer with the state it left."""
    run = await ProtocolRuns(rt).get(thread_id, run_id)
    return await _waited(rt, request, run, is_cancelled_with_client=cancel_on_disconnect)


@router.get(
    "/threads/{thread_id}/runs/{run_id}/stream", response_class=EventStream, status_code=200
)
async def join_stream(  # noqa: PLR0917 - the words of the protocol
    rt: Rt,
    request: Request,
    thread_id: Id,
    run_id: Id,
    query: Annotated[JoinQuery, Query()],
    last_event_id: LastEventId = None,
) -> Response:
    """Stream a run from an event on, or from its beginning."""
    run = await ProtocolRuns(rt).get(thread_id, run_id)
    after = "0" if last_event_id in (None, "", FROM_THE_BEGINNING) else str(last_event_id)
    check_event_id(after)
    cancels, modes = query.cancel_on_disconnect, query.modes
    return _streamed(rt, request, run, after, is_cancelled_with_client=cancels, modes=modes)


@router.get("/threads/{thread_id}/stream", response_class=EventStream, status_code=200)
async def join_thread(
    rt: Rt,
    request: Request,
    thread_id: Id,
    last_event_id: LastEventId = None,
    stream_mode: Annotated[list[ThreadMode] | None, Query()] = None,
) -> Response:
    """Stream what happens on a thread from an event on, or from now on, over all its runs."""
    await ProtocolThreads(rt).record(thread_id)
    base = str(request.base_url).rstrip("/")
    stream = ThreadStream(rt, thread_id, stream_mode or ["run_modes"], base)
    after = "0" if last_event_id == FROM_THE_BEGINNING else last_event_id or await stream.now()
    check_event_id(after)
    return EventStream(stream.pages(after), {"Content-Location": f"/threads/{thread_id}/stream"})


@router.post(
    "/threads/{thread_id}/runs/{run_id}/cancel",
    status_code=202,
    responses={200: {"description": "It is at its end."}},
)
async def cancel(
    rt: Rt, thread_id: Id, run_id: Id, wait: bool = False, action: Action = "interrupt"
) -> Response:
    """Stop a run."""
    runs = ProtocolRuns(rt)
    await runs.cancel(await runs.get(thread_id, run_id), action, wait=wait)
    return JSONResponse({}, status_code=200 if wait else 202)


@router.post("/runs/cancel", status_code=204)
async def cancel_many(
    rt: Rt, body: CancelNamed | CancelStanding, action: Action = "interrupt"
) -> Response:
    """Stop runs: those named, or all that stand so."""
    runs = ProtocolRuns(rt)
    if isinstance(body, CancelNamed):
        found = [await runs.get(body.thread_id, run_id) for run_id in body.run_ids]
    else:
        found = await runs.unfinished(body.status)
    if not found:
        raise HTTPException(404, "There is no such run.")
    for run in found:
        try:
            await runs.cancel(run, action, wait=False)
        except RunError:
            continue  # It came to its end meanwhile.
    return no_content()


def answered_with(record: dict[str, object], run: Run) -> Response:
    """Answer with a run, and say where it is."""
    answer = answered(record)
    answer.headers["Content-Location"] = place_of(run)
    return answer


def place_of(run: Run) -> str:
    """Return the path of a run."""
    return f"/threads/{run.thread_id}/runs/{run.id}"


async def _waited(
    rt: Rt, request: Request, run: Run, *, is_cancelled_with_client: bool
) -> Response:
    """Answer with the state a run leaves; stop the run when its client left and wants that."""
    runs = ProtocolRuns(rt)
    joining = asyncio.create_task(runs.joined(run))
    while not (await asyncio.wait({joining}, timeout=_LOOK_SECONDS))[0]:
        if is_cancelled_with_client and await request.is_disconnected():
            joining.cancel()
            await runs.cancel(run, "interrupt", wait=False)
            return no_content()
    return answered_text(joining.result())


async def _made(rt: Rt, request: Request, body: RunCreate, run: Run) -> Response:
    """Answer as `_waited`, and say where the run is that was made for it."""
    cancels = body.on_disconnect == "cancel"
    answer = await _waited(rt, request, run, is_cancelled_with_client=cancels)
    headers = {"Content-Location": place_of(run), "Location": f"{place_of(run)}/join"}
    answer.headers.update(headers)
    return answer


def _streamed(
    rt: Rt,
    request: Request,
    run: Run,
    after: str,
    *,
    is_cancelled_with_client: bool,
    modes: list[StreamMode] | None = None,
) -> Response:
    base = str(request.base_url).rstrip("/")

    async def pieces() -> AsyncIterator[bytes]:
        async with aclosing(ProtocolRuns(rt).stream(run, after, modes, base)) as events:
            async for event in events:
                yield event

    def stop() -> None:
        _start(_stopped(rt, run))

    headers = {"Content-Location": place_of(run), "Location": f"{place_of(run)}/stream"}
    return EventStream(pieces(), headers, on_left=stop if is_cancelled_with_client else None)


async def _stopped(rt: Rt, run: Run) -> None:
    try:
        await rt.queue.cancel(run.id)
    except RunError:
        return  # It came to its end meanwhile.


_tasks: set[asyncio.Task[None]] = set()


def _start(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
