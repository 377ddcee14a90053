"""Running the application on a socket, until somebody stops it."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import LOGGING_CONFIG

from treadle.core.errors import ConfigError
from treadle.core.settings import ServerSettings
from treadle.server._problems import failure

CUT_SECONDS = 5
"""How long what was cut may take to let go of what it holds."""
COLLECT_EVERY = 10_000
"""How many more objects than before Python's collector lets be made until it looks at them."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens.

    Attributes:
        host: an address or name of this machine.
        port: the port; 0 for any that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8123

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine's own programs can connect."""
        if self.host == "localhost":
            return True
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """The name the server is asked by; none where it listens on every address."""
        return () if self.host in {"0.0.0.0", "::"} else (self.host,)  # noqa: S104 - it tells

    def bind(self) -> socket.socket:
        """Return a socket that is bound there.

        Raises:
            ConfigError: the address is taken, or none of this machine's.
        """
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            bound = socket.create_server((self.host, self.port), family=family)
            # Connections inherit it. Without it, an answer whose head and body are sent apart waits
            # some 40 ms for the client to acknowledge the head.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return bound
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self.host} port {self.port}: {error.strerror or error}.",
                hint="Name another with --host and --port; port 0 takes any that is free.",
            ) from None


def url_of(bound: socket.socket) -> str:
    """Return the address at which a bound socket is reached, from this machine at least."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nobody asks for it
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(app: FastAPI, bound: socket.socket, settings: ServerSettings) -> None:
    """Serve an application on a bound socket until SIGINT or SIGTERM.

    New requests are refused from then on; those under way have ``stop_seconds`` to end, and are
    cut then.

    Raises:
        ConfigError: the application did not start; the log says why.
    """
    config = uvicorn.Config(
        _Cut(app),
        lifespan="on",
        timeout_graceful_shutdown=settings.stop_seconds,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,  # Small messages: it would cost each connection memory.
        log_config=LOGGING_CONFIG if sys.stdout.isatty() else _plain(LOGGING_CONFIG),
    )
    server = _Server(config)
    await server.serve(sockets=[bound])
    if not server.started:
        raise ConfigError("the server did not start; the lines above say why.")


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return uvicorn's logging with requests as they are told to it, and no colours.

    It decorates a copy of each record, before the answer goes out.
    """
    plain = {"format": "%(levelname)s:     %(message)s"}
    return {**config, "formatters": {**config["formatters"], "access": plain}}


def _spare_what_stays() -> None:
    """Keep Python's collector from looking at what stays as long as the server, again and again.

    A look through all of it holds up every stream, for a tenth of a second where nothing else is
    to be done and for a second where much is; a crowd of readers made it look every few seconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, *gc.get_threshold()[1:])


class _Cut:
    """Ends requests that the server cancels when it stops: in silence, and never as if whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":  # Whoever is connected otherwise was told.
                return
            said = "The server is being stopped; ask again."
            headers = {"Retry-After": "1", "Connection": "close"}
            with suppress(RuntimeError):  # An answer that has begun has no other beginning.
                await failure(Request(scope), 503, said, headers=headers)(scope, receive, send)


def _is_no_cut(record: logging.LogRecord) -> bool:
    return "without completing response" not in record.getMessage()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; how many answers were cut is said once, and not by an error for each."""
        log = logging.getLogger("uvicorn.error")
        log.addFilter(_is_no_cut)
        try:
            await super().shutdown(sockets=sockets)
            if self.server_state.tasks:
                await asyncio.wait(self.server_state.tasks, timeout=CUT_SECONDS)
        finally:
            log.removeFilter(_is_no_cut)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and leave what is there by then to stay."""
        await super().startup(sockets=sockets)
        _spare_what_stays()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal, and leave nothing of it: uvicorn would raise it again at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
