"""Opening streams a few at a time."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

AT_ONCE = 16
"""How many streams are opened at once; of a thousand that come together, the others wait."""


class OpeningMiddleware:
    """Lets streams begin in turn, so that a crowd of them keeps nobody else waiting."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; one for a stream when it has its turn, which ends as it begins."""
        if scope["type"] != "http" or not scope["path"].endswith("/stream"):
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        is_held = True

        def let_go() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._turns.release()

        async def begun(message: MutableMapping[str, Any]) -> None:
            let_go()
            await send(message)

        try:
            await self._app(scope, receive, begun)
        finally:
            let_go()
