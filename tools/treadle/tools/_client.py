"""Tools that whoever asked has: the run hands the call over and waits for the result."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from langgraph.types import interrupt

from treadle.core.calls import Effect
from treadle.tools._contract import Tool

CLIENT_CALL = "client_call"
"""The field of an interrupt's value that names the tool which the client is to call."""
_MAX_CHARS = 40_000


def client_tool(name: str, description: str, parameters: Mapping[str, Any]) -> Tool:
    """Return the tool that hands its call over.

    Args:
        name: its name.
        description: what it does, for the model.
        parameters: the JSON schema of its arguments.
    """

    async def hand_over(**arguments: Any) -> str:
        message = f"The client is to call {name}."
        return str(interrupt({CLIENT_CALL: name, "arguments": arguments, "message": message}))

    return Tool(
        name=name,
        description=description or name,
        args_schema=dict(parameters),
        coroutine=hand_over,
        response_format="content_and_artifact",
        handle_tool_error=str,
        effect=Effect.READ,  # What the client does is the client's: here nothing happens.
        time_limit=timedelta(seconds=30),
        max_chars=_MAX_CHARS,
    )
