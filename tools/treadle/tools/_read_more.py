"""Reading on where a message was too long to be shown whole."""

from typing import Protocol

from langgraph.config import get_config

from treadle.core.calls import Effect
from treadle.tools._contract import Tool, tool


class Reader(Protocol):
    """Reads messages of a thread page by page, as `treadle.memory.window.ContextWindow` does."""

    async def read_more(self, thread_id: str, ref: str, offset: int = 0) -> str:
        """Return a page of the message."""
        ...


def read_more_tool(reader: Reader) -> Tool:
    """Return the tool that reads on in a message of the running thread, and of no other."""

    @tool(effect=Effect.READ)
    async def read_more(ref: str, offset: int) -> str:
        """Read on in a message of this conversation that was shown only in part.

        Args:
            ref: the ref given where the message is cut.
            offset: how many characters to skip.
        """
        thread_id = str(get_config()["configurable"]["thread_id"])
        return await reader.read_more(thread_id, ref, offset)

    return read_more
