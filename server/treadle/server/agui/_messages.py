"""What clients of the protocol send, as a turn of a conversation."""

from collections.abc import Iterator, Sequence
from typing import Any

from ag_ui.core import (
    AssistantMessage,
    ContentPart,
    DeveloperMessage,
    RunAgentInput,
    SystemMessage,
    TextPart,
    Tool,
    ToolMessage,
    UserMessage,
)
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.messages import ToolMessage as ToolResult
from pydantic import ConfigDict, Field

from treadle.agents import Agent, ClientTool
from treadle.core.errors import InputError
from treadle.server._turn import Turn, adapted, arguments_of


class RunInput(RunAgentInput):
    """A request to run an agent; a field that is not supported is refused by its name."""

    model_config = ConfigDict(extra="forbid")

    thread_id: str = Field(min_length=1, max_length=200)
    run_id: str = Field(min_length=1, max_length=200)


def check(asked: RunInput) -> None:
    """Refuse what would be passed over.

    Raises:
        InputError: a field that holds something and is not supported.
    """
    if asked.forwarded_props not in (None, {}, []):
        raise InputError("forwardedProps: agents take none; leave it empty.")


def turn_of(agent: Agent, asked: RunInput, *, is_new: bool) -> Turn:
    """Return what is asked.

    Args:
        agent: the agent.
        asked: the request.
        is_new: whether nothing was said on the thread.

    Raises:
        InputError: it holds what the agent cannot be given.
    """
    given = adapted(
        agent,
        instructions="\n\n".join(_instructions(asked)),
        tools=[_tool(tool) for tool in asked.tools or ()],
        output=None,
        max_tokens=None,
    )
    messages = [one for said in asked.messages if (one := _message(said)) is not None]
    return Turn(given, messages, asked.thread_id, is_new=is_new)


def _instructions(asked: RunInput) -> Iterator[str]:
    for message in asked.messages:
        if isinstance(message, SystemMessage | DeveloperMessage) and message.content:
            yield str(message.content)
    for one in asked.context or ():
        yield f"{one.description}: {one.value}"


def _tool(tool: Tool) -> ClientTool:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    if not isinstance(parameters, dict):
        raise InputError(f"The parameters of the tool {tool.name!r} are no JSON Schema.")
    return ClientTool(name=tool.name, description=tool.description, parameters=parameters)


def _message(said: Any) -> AnyMessage | None:
    """Return a message as models read it; thoughts and activities are for people."""
    if isinstance(said, UserMessage):
        return HumanMessage(_text(said.content))
    if isinstance(said, ToolMessage):
        return ToolResult(said.error or _text(said.content), tool_call_id=said.tool_call_id)
    if isinstance(said, AssistantMessage):
        return AIMessage(
            said.content or "", tool_calls=[_call(one) for one in said.tool_calls or ()]
        )
    return None


def _call(call: Any) -> dict[str, Any]:
    try:
        arguments = arguments_of(call.function.arguments)
    except ValueError as error:
        raise InputError(f"The arguments of the call {call.id!r} cannot be read: {error}") from None
    return {"name": call.function.name, "args": arguments, "id": call.id}


def _text(content: str | Sequence[ContentPart]) -> str:
    if isinstance(content, str):
        return content
    for part in content:
        if not isinstance(part, TextPart):
            raise InputError(f"A part is {part.type!r}; parts that are 'text' are read.")
    return "".join(part.text for part in content if isinstance(part, TextPart))
