"""Tools for models that cannot call them: they write what to call, and read what came back."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.utils.function_calling import convert_to_openai_tool

from treadle.core.boundary import thinking
from treadle.graphs._cut_short import refusal_of
from treadle.graphs._prompts import Prompts, join
from treadle.graphs._text_calls import Tools, read, shown

_Ask = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class TextTools(AgentMiddleware[Any, Any]):
    """Lets a model write its tool calls as text; the graph around it sees ordinary tool calls.

    What is kept of the conversation is the same as with a model that calls tools, so another model
    can go on with it.

    Args:
        applies_to: tells whether a model is one of those.
        prompts: where the instructions are.
    """

    def __init__(self, applies_to: Callable[[BaseChatModel], bool], prompts: Prompts) -> None:
        super().__init__()
        self._applies_to = applies_to
        self._prompts = prompts

    async def awrap_model_call(self, request: ModelRequest[Any], handler: _Ask) -> Any:
        """Ask in text, and read the calls out of the reply."""
        if not self._applies_to(request.model):
            return await handler(request)
        tools = [convert_to_openai_tool(tool)["function"] for tool in request.tools]
        if not tools and not any(isinstance(m, ToolMessage) for m in request.messages):
            return await handler(request)
        response = await self._ask(request, tools, handler)
        answer = response.result[-1] if response.result else None
        if request.response_format is None or not isinstance(answer, AIMessage):
            return response
        if answer.tool_calls or answer.invalid_tool_calls or refusal_of(answer):
            return response
        # The data is asked for once there is an answer: with its schema a model writes no calls.
        messages = [*as_text(request.messages), answer, HumanMessage(self._prompts("as_data"))]
        return await handler(request.override(messages=messages, tools=[], tool_choice=None))

    async def _ask(
        self, request: ModelRequest[Any], tools: Sequence[Mapping[str, Any]], handler: _Ask
    ) -> ModelResponse[Any]:
        system = request.system_message.text if request.system_message else ""
        may_call = bool(tools) and request.tool_choice != "none"
        about = join(self._prompts("text_tools"), tool_list(tools)) if may_call else ""
        asked = request.override(
            messages=as_text(request.messages),
            system_message=SystemMessage(join(system, about)),
            tools=[],
            tool_choice=None,
            response_format=None,
        )
        with thinking():  # Nobody wants to read the calls as the answer while they are written.
            response = await handler(asked)
        takes = taken(tools)
        rounds = sum(isinstance(message, ToolMessage) for message in request.messages)
        response.result = [_read(one, takes, rounds) for one in response.result]
        return response


def _read(message: BaseMessage, takes: Tools, rounds: int) -> BaseMessage:
    """Return the reply with what it calls as tool calls."""
    if not isinstance(message, AIMessage) or message.tool_calls:
        return message
    written = read(message.text, takes)
    calls, invalid = [], []
    for number, call in enumerate(written.calls):
        place = json.dumps([message.text, rounds, number])
        id_ = f"text_{hashlib.sha256(place.encode()).hexdigest()[:20]}"
        if call.arguments is None:
            invalid.append(invalid_tool_call(name=call.name, args=call.text, id=id_, error=None))
        else:
            calls.append(
                ToolCall(type="tool_call", name=call.name, args=dict(call.arguments), id=id_)
            )
    update = {"content": written.text, "tool_calls": calls, "invalid_tool_calls": invalid}
    return message.model_copy(update=update)


def as_text(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return a conversation with its tool calls and their results as text."""
    told: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, AIMessage) and message.tool_calls:
            calls = (shown(call["name"], call["args"]) for call in message.tool_calls)
            told.append(AIMessage("\n".join(filter(None, [message.text, *calls]))))
        elif isinstance(message, ToolMessage):
            text = f"Observation from {message.name}:\n{message.text}"
            last = told[-1] if told else None
            if isinstance(last, HumanMessage) and last.additional_kwargs.get(_RESULT):
                told[-1] = _observed(f"{last.text}\n\n{text}")
            else:
                told.append(_observed(text))
        else:
            told.append(message)
    return told


_RESULT = "treadle_observation"


def _observed(text: str) -> HumanMessage:
    return HumanMessage(text, additional_kwargs={_RESULT: True})


def tool_list(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return what a model is told of the tools: what each is for, and what it takes."""
    lines = []
    for tool in tools:
        takes = json.dumps(tool.get("parameters", {}).get("properties", {}), ensure_ascii=False)
        about = " ".join(str(tool.get("description", "")).split())
        lines.append(f"- {tool['name']}: {about}\n  Action Input: an object with {takes}")
    return "\n".join(["The tools:", *lines])


def taken(tools: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what each tool takes."""
    return {tool["name"]: tool.get("parameters", {}).get("properties", {}) for tool in tools}
