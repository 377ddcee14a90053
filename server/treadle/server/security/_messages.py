"""What comes over a WebSocket, within the bounds of bodies and of its caller."""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Message, Receive, Send

from treadle.server.security._admission import Admission, TooManyError
from treadle.server.security._bodies import BadBodyError, BodyLimits, check_message
from treadle.server.security._principal import Principal

CLOSED = 4_000
"""Added to the HTTP status that says why the server closes a connection."""


class Messages:
    """Passes the messages of a connection on; each counts as a request of its caller.

    One that is not let through ends the connection.

    Args:
        receive: gives the messages.
        send: sends to the client.
        principal: who is connected.
        admission: holds callers to their limits.
        limits: how large a message may be.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        principal: Principal,
        admission: Admission,
        limits: BodyLimits,
    ) -> None:
        self._receive = receive
        self._send = send
        self._principal = principal
        self._admission = admission
        self._limits = limits
        self._is_closed = False

    async def receive(self) -> Message:
        """Return the next message; that the client has left where it may send no more."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        text = message.get("text")
        body = message.get("bytes") or b"" if text is None else text.encode()
        try:
            check_message(body, self._limits)
            async with self._admission.admitted(self._principal, runs=False):
                return message
        except BadBodyError as error:
            return await self._closed(CLOSED + error.status, str(error))
        except TooManyError as error:
            return await self._closed(CLOSED + 429, str(error))

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a message; none follows the one that closes the connection."""
        if not self._is_closed:
            await self._send(message)

    async def _closed(self, code: int, reason: str) -> Message:
        await self._send({"type": "websocket.close", "code": code, "reason": reason[:100]})
        self._is_closed = True
        return {"type": "websocket.disconnect", "code": code, "reason": reason}
