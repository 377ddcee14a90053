"""What every request passes before it is answered, in front of all protocols."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.core.errors import ConfigError
from treadle.core.settings import ServerSettings
from treadle.server._docs_page import locked_page
from treadle.server._problems import failure
from treadle.server.security._admission import Admission, TooManyError
from treadle.server.security._authentication import Authenticator, UnauthorizedError
from treadle.server.security._bodies import BadBodyError, BodyLimits, bounded
from treadle.server.security._messages import Messages
from treadle.server.security._principal import Principal, acting_for
from treadle.server.security._principal import Scope as Right
from treadle.server.security._scopes import DOCS, PUBLIC, scope_of

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
        self.public = PUBLIC | DOCS if settings.public_docs else PUBLIC
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
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        guard: Guard = scope["app"].state.serving.guard
        send = _with_headers(send)
        headers = Headers(scope=scope)
        # What checks a server's health asks by its address, and reads what is told to anybody.
        if scope["path"] not in PUBLIC and not guard.knows_host(headers):
            name = _name_of(headers.get("host", ""))[:100]
            said = f"The server is not known as {name!r}; [server] hosts lists its names."
            await refused(scope, 421, said)(scope, receive, send)
        elif not guard.knows_origin(headers):
            said = "Pages of that origin may not ask; [server] origins lists those that may."
            await refused(scope, 403, said)(scope, receive, send)
        elif scope["type"] == "websocket":  # It is no matter of CORS: a page's origin is enough.
            await self._guarded(scope, receive, send)
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
        headers = Headers(scope=scope)
        answer = None
        try:
            if scope["path"] in guard.public:
                await self._app(scope, receive, send)
                return
            principal = await guard.authenticator.principal(dict(headers))
            # A WebSocket is opened to read; what is sent over it is looked at as it comes.
            needed = scope_of(scope.get("method", "POST"), scope["path"])
            if not principal.may(needed):
                answer = refused(scope, 403, f"This needs the scope {needed.value!r}.")
            elif scope["type"] == "websocket":
                async with guard.admission.admitted(principal, runs=False):
                    messages = Messages(receive, send, principal, guard.admission, guard.limits)
                    await self._answered(principal, scope, messages.receive, messages.send)
                return
            else:
                async with guard.admission.admitted(principal, runs=needed is Right.RUN):
                    receive = await bounded(headers, receive, guard.limits)
                    await self._answered(principal, scope, receive, send)
                return
        except UnauthorizedError as error:
            challenge = {"WWW-Authenticate": "Bearer"}
            answer = _locked(scope, headers) or refused(scope, 401, str(error), headers=challenge)
        except TooManyError as error:
            wait = {"Retry-After": str(error.retry_after_seconds)}
            answer = refused(scope, 429, str(error), headers=wait)
        except BadBodyError as error:
            # What is still to come of the body is not read: the connection ends.
            answer = refused(scope, error.status, str(error), headers={"Connection": "close"})
        except ConfigError as error:
            answer = refused(scope, 503, str(error))
        await answer(scope, receive, send)

    async def _answered(
        self, principal: Principal, scope: Scope, receive: Receive, send: Send
    ) -> None:
        scope["treadle.principal"] = principal
        with acting_for(principal):
            await self._app(scope, receive, send)


def refused(
    scope: Scope, status: int, said: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer to a request, or to one for a WebSocket, that is not let in."""
    return failure(Request({**scope, "type": "http"}), status, said, headers=headers)


def _locked(scope: Scope, headers: Headers) -> Response | None:
    """Return what a browser is shown that came without a key, which it has no way to send."""
    is_browser = "text/html" in headers.get("accept", "") and "authorization" not in headers
    if scope["type"] != "http" or scope["path"] != "/docs" or not is_browser:
        return None
    page = locked_page(str(Request(scope).url.replace(query="")))
    return HTMLResponse(page, 401, {"WWW-Authenticate": "Bearer"})


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
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
