"""A connection that can be cut: a TCP proxy in front of a Redis on loopback."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class TcpProxy:
    """Passes bytes on to a unix socket, until it is cut.

    Args:
        socket_path: where Redis listens.

    Attributes:
        port: where the proxy listens.
    """

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._stop = asyncio.Event()
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Close every connection, and let no new one through."""
        self._loop.call_soon_threadsafe(self._set, True)

    def mend(self) -> None:
        """Let connections through again."""
        self._loop.call_soon_threadsafe(self._set, False)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def _set(self, is_cut: bool) -> None:
        self._is_cut = is_cut
        for writer in self._writers if is_cut else ():
            writer.transport.abort()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listening)
        await self._stop.wait()
        self._set(True)
        server.close()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_unix_connection(self._path)
            self._writers |= {writer, up_writer}
            await asyncio.gather(self._pass_on(reader, up_writer), self._pass_on(up_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)


@contextmanager
def running_proxy(socket_path: str) -> Iterator[TcpProxy]:
    """Run a proxy in front of a Redis."""
    proxy = TcpProxy(socket_path)
    try:
        yield proxy
    finally:
        proxy.close()
