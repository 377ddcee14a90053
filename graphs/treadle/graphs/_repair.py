"""Tool calls of weak models: mended where only one reading is possible, else explained to them.

What is left open, such as arguments that break off, is never closed: a call that was cut short is
another call than the one that was meant.
"""

import ast
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.types import Command

from treadle.core.errors import UnknownNameError

UNREADABLE = "unreadable_arguments"
"""The one argument of a call whose arguments could not be read: the text that they were."""

_MAX_CHARS = 100_000
_TOKEN = re.compile(
    r"""\s*(?:("(?:\\.|[^"\\])*")|('(?:\\.|[^'\\\n])*')|([{}\[\]:,])|([^\s{}\[\]:,"']+))""",
    re.DOTALL,
)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_NAMES = {"True": "true", "False": "false", "None": "null"}
_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

_Ask = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
_Execute = Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]


class ToolCallRepair(AgentMiddleware[Any, Any]):
    """Mends tool calls before they are kept, and answers those that cannot be made."""

    def __init__(self, tools: Sequence[BaseTool]) -> None:
        super().__init__()
        self._schemas = {tool.name: _properties(tool) for tool in tools}

    async def awrap_model_call(self, request: ModelRequest[Any], handler: _Ask) -> Any:
        """Pass the call on and mend the answer's tool calls."""
        response = await handler(request)
        for message in response.result:
            if isinstance(message, AIMessage):
                self._mend(message)
        return response

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: _Execute
    ) -> ToolMessage | Command[Any]:
        """Pass the call on unless its arguments are unreadable or no tool has its name."""
        called = request.tool_call
        if request.tool is None and called["name"] not in self._schemas:
            return _refusal(called, str(UnknownNameError("tool", called["name"], self._schemas)))
        if set(called["args"]) == {UNREADABLE}:
            problem = problem_of(str(called["args"][UNREADABLE]))
            text = f"Not called: the arguments of {called['name']} are no JSON object: {problem}."
            return _refusal(called, f"{text} Write them again, whole, as one JSON object.")
        return await handler(request)

    def _mend(self, message: AIMessage) -> None:
        if not message.tool_calls and not message.invalid_tool_calls:
            return
        mended = [self._fitted(call) for call in message.tool_calls]
        for number, invalid in enumerate(message.invalid_tool_calls):
            raw = invalid["args"] or ""
            arguments = read_arguments(raw)
            call = ToolCall(
                type="tool_call",
                name=invalid["name"] or "",
                args={UNREADABLE: raw} if arguments is None else arguments,
                id=invalid["id"] or f"{message.id}-{number}",
            )
            mended.append(self._fitted(call))
        message.tool_calls = mended
        message.invalid_tool_calls = []

    def _fitted(self, call: ToolCall) -> ToolCall:
        """Return the call with texts made numbers and the like where its tool takes no text."""
        properties = self._schemas.get(call["name"], {})
        fitted = {name: fit(value, properties.get(name)) for name, value in call["args"].items()}
        return {**call, "args": fitted}


def read_arguments(text: str) -> dict[str, Any] | None:
    """Read a tool call's arguments that are not quite JSON.

    Code fences, single quotes, trailing commas, Python's ``True``, ``False`` and ``None``, and an
    object written as a JSON string are understood.

    Returns:
        The arguments, or ``None`` where they cannot be read in one way only.
    """
    if len(text) > _MAX_CHARS:
        return None
    text = text.strip()
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1]
    for candidate in (text, _as_json(text)):
        found = _load(candidate)
        if isinstance(found, str):
            found = _load(found)
        if isinstance(found, dict):
            return found
    return None


def fit(value: object, schema: object) -> object:
    """Return a text as what a JSON schema asks for; anything that does not fit, as it is."""
    wanted = schema.get("type") if isinstance(schema, Mapping) else None
    kinds = _TYPES.get(wanted) if isinstance(wanted, str) else None
    if kinds is None or not isinstance(value, str):
        return value
    found = _load(value.strip().lower() if wanted == "boolean" else value)
    is_right = isinstance(found, kinds) and (isinstance(found, bool) == (wanted == "boolean"))
    return found if is_right else value


def _load(text: str | None) -> Any:
    """Parse JSON in which every name of an object occurs once and every number is finite."""
    if text is None:
        return None
    try:
        return json.loads(
            text, strict=False, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_real
        )
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _as_json(text: str) -> str | None:
    """Write a Python-like literal as JSON, token by token; ``None`` when it has other parts."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return None
        position = token.end()
        double, single, mark, word = token.groups()
        if single:
            try:
                double = json.dumps(ast.literal_eval(single))
            except (ValueError, SyntaxError):
                return None
        if mark in {"}", "]"} and len(tokens) > 1 and tokens[-1] == ",":
            if tokens[-2] in {",", "{", "["}:
                return None
            tokens.pop()
        tokens.append(double or mark or _NAMES.get(word, word))
    return " ".join(tokens)


def _properties(tool: BaseTool) -> Mapping[str, Any]:
    schema = convert_to_openai_tool(tool)["function"].get("parameters", {})
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties


def problem_of(text: str) -> str:
    """Return why a text is no JSON object."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1} of {len(text)}"
    except (ValueError, RecursionError) as error:
        return type(error).__name__
    return f"they are {type(found).__name__} {text[:50]}"


def _refusal(called: ToolCall, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=called["id"], name=called["name"], status="error")
