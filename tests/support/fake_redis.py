"""The far end of a Redis connection, scripted: for servers that no machine runs any more."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def fake_redis(answers: Mapping[str, str]) -> Iterator[str]:
    """Serve on loopback, answering each command with the given RESP text; give its URL.

    Args:
        answers: RESP by the command's name in capitals; other commands are unknown.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while header := self.rfile.readline():
                words = []
                for _ in range(int(header[1:])):
                    length = int(self.rfile.readline()[1:])
                    words.append(self.rfile.read(length).decode())
                    self.rfile.readline()
                name = words[0].upper()
                answer = answers.get(name, f"-ERR unknown command `{name}`\r\n")
                self.wfile.write(answer.encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def bulk(text: str) -> str:
    """Return ``text`` as a RESP bulk string."""
    return f"${len(text)}\r\n{text}\r\n"
