"""A threaded HTTP/1.1 server on loopback that can also misbehave on purpose."""

import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from treadle.runtime.testing._exchange import Wire
from treadle.runtime.testing._replies import Break

Respond = Callable[[str, str, Mapping[str, str], bytes], Wire]

HOST = "127.0.0.1"
_MAX_BODY_BYTES = 64 * 1024 * 1024
_CLOSE_SECONDS = 5.0


class Listener:
    """Serves ``respond`` on a free port of loopback, one thread per connection.

    Args:
        respond: takes method, target, headers by lower-case name, and body; from any thread.
        failed: told of an exception that ``respond`` or a handler let out.
    """

    def __init__(self, respond: Respond, failed: Callable[[BaseException], None]) -> None:
        self._server = _Server(respond, failed)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="scripted-openai", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Close every connection, also those in the middle of an answer, and the port."""
        self._closing.set()
        # A connection of our own wakes the accepting thread, on every platform.
        with socket.create_connection((HOST, self.port)):
            self._thread.join(_CLOSE_SECONDS)
        self._server.server_close()
        self._server.end_connections()

    def _accept(self) -> None:
        while not self._closing.is_set():
            self._server.handle_request()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, respond: Respond, failed: Callable[[BaseException], None]) -> None:
        super().__init__((HOST, 0), _Handler)
        self.respond = respond
        self._failed = failed
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Shut every connection and wait until the threads have let go of them."""
        with self._changed:
            for connection in self._open:
                _shut(connection)
            self._changed.wait_for(lambda: not self._open, _CLOSE_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        # A client that leaves in the middle is the client's business.
        if error is not None and not isinstance(error, OSError):
            self._failed(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ScriptedOpenAI"
    sys_version = ""
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.respond(self.command, self.path, headers, body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - its names

    def _body(self) -> bytes | None:
        """Return the body, or answer with an error and return ``None``."""
        written = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers:
            self.send_error(411)
        elif not written.isascii() or not written.isdigit():
            self.send_error(400, "Bad Content-Length")
        elif len(written) > len(str(_MAX_BODY_BYTES)) or int(written) > _MAX_BODY_BYTES:
            self.send_error(413)
        else:
            body = self.rfile.read(int(written))
            if len(body) == int(written):
                return body
        self.close_connection = True
        return None

    def _send(self, wire: Wire) -> None:
        if not wire.silent:
            self._send_headers(wire)
            for part in wire.parts:
                self._send_part(part, chunked=wire.length is None)
        if wire.ending is None:
            if wire.length is None:
                self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        if wire.ending is Break.HANG:
            self._wait_for_the_client_to_leave(wire.max_seconds)

    def _send_headers(self, wire: Wire) -> None:
        self.send_response(wire.status)
        for name, value in wire.headers.items():
            self.send_header(name, value)
        if wire.length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(wire.length))
        self.end_headers()

    def _send_part(self, part: bytes, *, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)

    def _wait_for_the_client_to_leave(self, max_seconds: float) -> None:
        self.connection.settimeout(max_seconds)
        self.connection.recv(1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it overrides
        """Say nothing: the recorded requests are the log."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster
