"""What every request passes before it is answered, in front of all protocols."""

from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.core.errors import ConfigError
from treadle.core.settings import ServerSettings
from treadle.server._problems import failure
from treadle.server.security._admission import Admission, TooManyError
from treadle.server.security._authentication import Authenticator, UnauthorizedError
from treadle.server.security._bodies import BadBodyError, BodyLimits, bounded
from treadle.server.security._principal import Principal, acting_for
from treadle.server.security._principal import Scope as Right
from treadle.server.security._scopes import PUBLIC, scope_of

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    ),
}


class Guard:
    """Who is let in, and with what.

    Args:
        settings: what ``[server]`` says.
        hosts: names of the server beside those of the settings and of loopback.
        authenticator: finds out who asks.
        admission: holds callers to their limits.
    """

    def __init__(
        self,
        settings: ServerSettings,
        hosts: Sequence[str],
        authenticator: Authenticator,
        admission: Admission,
    ) -> None:
        self.authenticator = authenticator
        self.admission = admission
        self.limits = BodyLimits(
            settings.max_body_bytes, settings.max_json_depth, settings.body_seconds
        )
        self.origins = tuple(origin.rstrip("/").lower() for origin in settings.origins)
        self._hosts = {name.lower() for name in (*LOOPBACK_NAMES, *hosts, *settings.hosts)}

    def knows_host(self, headers: Headers) -> bool:
        """Return whether the server is asked by one of its names: not by a page's own."""
        return "*" in self._hosts or _name_of(headers.get("host", "")) in self._hosts

    def knows_origin(self, headers: Headers) -> bool:
        """Return whether no page asks, or one that may: the server's own, or a listed one."""
        origin = headers.get("origin")
        if origin is None or origin.lower() in self.origins:
            return True
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


class GuardMiddleware:
    """Lets requests in: by host, origin, key, scope, limits and size, in this order."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._with_cors: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guard: Guard = scope["app"].state.serving.guard
        send = _with_headers(send)
        headers = Headers(scope=scope)
        # What checks a server's health asks by its address, and reads what is told to anybody.
        if scope["path"] not in PUBLIC and not guard.knows_host(headers):
            name = _name_of(headers.get("host", ""))[:100]
            said = f"The server is not known as {name!r}; [server] hosts lists its names."
            await failure(Request(scope), 421, said)(scope, receive, send)
        elif not guard.knows_origin(headers):
            said = "Pages of that origin may not ask; [server] origins lists those that may."
            await failure(Request(scope), 403, said)(scope, receive, send)
        else:
            await self._cors(guard)(scope, receive, send)

    def _cors(self, guard: Guard) -> ASGIApp:
        if not guard.origins:
            return self._guarded
        if self._with_cors is None:
            self._with_cors = CORSMiddleware(
                self._guarded,
                allow_origins=guard.origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["Location", "Content-Location", "X-Pagination-Next"],
            )
        return self._with_cors

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        guard: Guard = scope["app"].state.serving.guard
        request, headers = Request(scope), Headers(scope=scope)
        answer = None
        try:
            if scope["path"] in PUBLIC:
                await self._app(scope, receive, send)
                return
            principal = await guard.authenticator.principal(dict(headers))
            needed = scope_of(scope["method"], scope["path"])
            if not principal.may(needed):
                answer = failure(request, 403, f"This needs the scope {needed.value!r}.")
            else:
                async with guard.admission.admitted(principal, runs=needed is Right.RUN):
                    receive = await bounded(headers, receive, guard.limits)
                    await self._answered(principal, scope, receive, send)
                return
        except UnauthorizedError as error:
            challenge = {"WWW-Authenticate": "Bearer"}
            answer = failure(request, 401, str(error), headers=challenge)
        except TooManyError as error:
            wait = {"Retry-After": str(error.retry_after_seconds)}
            answer = failure(request, 429, str(error), headers=wait)
        except BadBodyError as error:
            # What is still to come of the body is not read: the connection ends.
            answer = failure(request, error.status, str(error), headers={"Connection": "close"})
        except ConfigError as error:
            answer = failure(request, 503, str(error))
        await answer(scope, receive, send)

    async def _answered(
        self, principal: Principal, scope: Scope, receive: Receive, send: Send
    ) -> None:
        scope["treadle.principal"] = principal
        with acting_for(principal):
            await self._app(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


def _name_of(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
