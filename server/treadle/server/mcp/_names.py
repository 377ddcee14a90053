"""Names of the protocol's things."""

from urllib.parse import quote, unquote

PATH = "/mcp"
"""Where the protocol is spoken."""
_THREADS = "treadle://threads/"


def uri_of(thread_id: str) -> str:
    """Return a thread's address."""
    return f"{_THREADS}{quote(thread_id, safe='')}"


def thread_of(uri: str) -> str | None:
    """Return the thread at an address, or ``None`` where the address is no thread's."""
    return unquote(uri.removeprefix(_THREADS)) if uri.startswith(_THREADS) else None
