"""A thread over one WebSocket: commands come in, their answers and what happens go out."""

import asyncio
import json
import logging
import uuid
from contextlib import aclosing, suppress

from fastapi import HTTPException, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from treadle.core.tasks import stopped
from treadle.server._sse import SEND_SECONDS
from treadle.server.langgraph._answers import Body
from treadle.server.langgraph._commands import (
    Command,
    RefusedError,
    checked,
    obey,
    refusal,
    success,
)
from treadle.server.langgraph._records import Record
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.langgraph._told_thread import Subscription, ToldThread
from treadle.server.security import Scope, current_principal

MAX_SUBSCRIPTIONS = 50
"""How much one client may subscribe to on one connection."""
log = logging.getLogger("treadle.server")
CLOSED = 4_000
"""Added to the HTTP status that says why the server closes a connection."""


class _Unsubscription(Body):
    subscription_id: str


class ThreadSocket:
    """Serves one client, until either side closes the connection.

    Commands are obeyed one after the other. What happens is told as fast as the client reads it: of
    each subscription one page waits at most.

    Args:
        runtime: the tenant's runtime.
        thread_id: the thread, which need not be there before its first run is started.
        socket: the connection.
    """

    def __init__(self, runtime: Rt, thread_id: str, socket: WebSocket) -> None:
        self._runtime = runtime
        self._thread_id = thread_id
        self._socket = socket
        self._turn = asyncio.Lock()
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._farewell: tuple[int, str] | None = None
        self._is_over = asyncio.Event()

    async def serve(self) -> None:
        """Serve the client."""
        await self._socket.accept()
        taking = asyncio.create_task(self._take())
        over = asyncio.create_task(self._is_over.wait())
        try:
            await asyncio.wait((taking, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stopped(taking, over, *self._telling.values())
        if taking.done() and not taking.cancelled():
            with suppress(WebSocketDisconnect, TimeoutError, OSError):  # The client has left.
                taking.result()

    async def _take(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await self._socket.close(1003, "Commands are text.")
                return
            await self._send(await self._answer(text))
            if self._farewell is not None:
                await self._close(*self._farewell)
                return

    async def _answer(self, text: str) -> Record:
        try:
            command = Command.model_validate_json(text)
        except ValidationError:
            said = "A command is a JSON object with 'id', 'method' and 'params'."
            return refusal(None, "invalid_argument", said)
        if command.method.startswith("subscription."):
            return await self._of_subscriptions(command)
        if not current_principal().may(Scope.RUN):
            return refusal(command.id, "not_permitted", "This needs the scope 'run'.")
        return await obey(self._runtime, self._thread_id, command)

    async def _of_subscriptions(self, command: Command) -> Record:
        try:
            if command.method == "subscription.subscribe":
                return await self._subscribe(command, checked(Subscription, command))
            if command.method == "subscription.unsubscribe":
                return await self._unsubscribe(command, checked(_Unsubscription, command))
        except RefusedError as refused:
            return refusal(command.id, refused.code, str(refused))
        return refusal(command.id, "not_supported", f"{command.method} is not served.")

    async def _subscribe(self, command: Command, wanted: Subscription) -> Record:
        if len(self._telling) >= MAX_SUBSCRIPTIONS:
            said = f"At most {MAX_SUBSCRIPTIONS} subscriptions are held on a connection."
            raise RefusedError("invalid_argument", said)
        try:
            await ProtocolThreads(self._runtime).record(self._thread_id)
        except HTTPException as error:
            self._farewell = (CLOSED + error.status_code, str(error.detail))
            raise RefusedError("invalid_argument", str(error.detail)) from None
        name = uuid.uuid4().hex
        self._telling[name] = asyncio.create_task(self._tell(wanted))
        return success(command.id, {"subscription_id": name})

    async def _unsubscribe(self, command: Command, given: _Unsubscription) -> Record:
        task = self._telling.pop(given.subscription_id, None)
        if task is None:
            said = f"There is no subscription {given.subscription_id!r:.100}."
            raise RefusedError("no_such_subscription", said)
        await stopped(task)
        return success(command.id, {})

    async def _tell(self, wanted: Subscription) -> None:
        """Tell what a subscription is about; where that ends, so does the connection."""
        told = ToldThread(self._runtime, self._thread_id, wanted)
        try:
            async with aclosing(told.pages()) as pages:
                async for page in pages:
                    await self._send(*page)
        except TimeoutError:
            await self._close(CLOSED + 408, "Nothing was read for too long.")
        except Exception as error:
            log.warning("A stream of the thread %r broke: %s", self._thread_id, error)
            await self._close(1011, "The stream broke; connect again.")
        else:
            await self._close(CLOSED + 404, "The thread is not there any more.")

    async def _send(self, *records: Record) -> None:
        for record in records:
            async with self._turn, asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(json.dumps(record, ensure_ascii=False))

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, TimeoutError, OSError):  # It is closed already.
            async with self._turn, asyncio.timeout(SEND_SECONDS):
                await self._socket.close(code, reason[:100])
        self._is_over.set()
