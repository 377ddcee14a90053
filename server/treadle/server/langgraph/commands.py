"""``/threads/{thread_id}/commands`` and ``…/stream/events``: a thread as one conversation."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse

from treadle.server._sse import EventStream, sse
from treadle.server.langgraph._answers import Id, Route
from treadle.server.langgraph._commands import Command, obey
from treadle.server.langgraph._socket import ThreadSocket
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.langgraph._told_thread import Subscription, ToldThread

router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"], route_class=Route)


@router.post("/commands")
async def command(rt: Rt, thread_id: Id, body: Command) -> JSONResponse:
    """Start a run on a thread, which is made if there is none, or answer what a run asked."""
    return JSONResponse(await obey(rt, thread_id, body))


@router.post("/stream/events", response_class=EventStream, status_code=200)
async def events(rt: Rt, thread_id: Id, body: Subscription) -> EventStream:
    """Stream what a client subscribed to of what happens on a thread, over all its runs."""
    await ProtocolThreads(rt).record(thread_id)
    return EventStream(_wired(ToldThread(rt, thread_id, body)))


@router.websocket("/stream/events")
async def socket(websocket: WebSocket, thread_id: Id) -> None:
    """Take commands and tell of a thread over one WebSocket."""
    rt = await websocket.app.state.runtime_of(websocket)
    await ThreadSocket(rt, thread_id, websocket).serve()


async def _wired(told: ToldThread) -> AsyncGenerator[bytes]:
    async with aclosing(told.pages()) as pages:
        async for page in pages:
            yield b"".join(sse(one, event=one["method"], id_=str(one["seq"])) for one in page)
