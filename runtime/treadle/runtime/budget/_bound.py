"""How many tokens a model call may cost at most, known before it is made.

**The bound.** A provider's tokenizer cuts text into pieces of at least one byte of its UTF-8 form
(byte-pair encodings start from single bytes and only ever join them), so a text of *n* bytes is at
most *n* tokens. What the provider reads is each message's text, names and tool calls, the tools'
schemas and the response format. These are counted here as JSON, whose escapes only lengthen them,
and tool arguments, which are sent as JSON within JSON, are counted with every escape. Marks that
the provider adds of its own are covered by `PER_MESSAGE`, `PER_TOOL` and `PER_REQUEST`, which are
well above the three to seven tokens a message, some ten a tool and at most some 350 a request
(a system prompt for tools) that providers document.

**Tightening.** Messages stand between marks that no token crosses, so each is cut by itself. Where
an earlier request of the run, with the same model and options, is the beginning of this one, the
provider's own count of it, plus the bound of what is new, is a bound too. The smaller one is used.

**What has no bound** is told so, never guessed: images, sound and files, whose tokens do not
depend on their bytes; what the provider adds by itself, such as pages its own tools find or a
conversation it keeps; reasoning that it keeps under an id.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import BaseModel

from treadle.core.calls import Call, Outcome

PER_MESSAGE = 16
PER_TOOL = 32
PER_REQUEST = 64
PER_REQUEST_WITH_TOOLS = 512

_TEXT = {"text", "input_text", "output_text", "refusal", "tool_call", "tool_use", "function_call"}
_PLAIN_TOOLS = {"function", "custom"}
_NOT_SENT = {"tool_choice", "stream", "stream_options", "ls_structured_output_format"}
_KEPT_BY_PROVIDER = ("previous_response_id", "conversation", "prompt")
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Bound:
    """How many tokens a request may have at most.

    Attributes:
        tokens: the number, or ``None`` when there is no bound.
        why: why there is none.
    """

    tokens: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    messages: tuple[str, ...]


class InputBounds:
    """Bounds the requests of one run, which mostly repeat what was sent before."""

    def __init__(self) -> None:
        self._counted: list[tuple[_Request, int]] = []
        self._asked: dict[str, _Request] = {}

    def of(self, call: Call) -> Bound:
        """Return the bound of a model call's request."""
        messages: Sequence[BaseMessage] = call.request["messages"]
        options: Mapping[str, Any] = call.request.get("options", {})
        if why := _why_unbounded(messages, options):
            return Bound(None, why)
        sent = {name: value for name, value in options.items() if name not in _NOT_SENT}
        request = _Request(f"{call.name}\n{_json(sent)}", tuple(map(_message, messages)))
        self._asked[call.id] = request
        sizes = [_size(message) + PER_MESSAGE for message in request.messages]
        tools = sent.get("tools") or ()
        overhead = PER_REQUEST_WITH_TOOLS if tools else PER_REQUEST
        whole = _size(request.key) + len(tools) * PER_TOOL + overhead + sum(sizes)
        known = [
            count + sum(sizes[len(earlier.messages) :]) + PER_REQUEST
            for earlier, count in self._counted
            if earlier.key == request.key
            and request.messages[: len(earlier.messages)] == earlier.messages
        ]
        return Bound(min(whole, *known) if known else whole)

    def learn(self, call: Call, outcome: Outcome) -> None:
        """Remember how the provider counted a request, when it did."""
        request = self._asked.pop(call.id, None)
        if request is None or not is_counted(outcome):
            return
        self._counted.append((request, outcome.usage.input_tokens))
        del self._counted[:-_REMEMBERED]


def text_tokens(texts: Iterable[str]) -> int:
    """Return how many tokens texts can be at most, each sent by itself."""
    return sum(_size(text) + PER_MESSAGE for text in texts)


def is_counted(outcome: Outcome) -> bool:
    """Whether the provider said how many tokens the call cost."""
    value = outcome.value
    return (
        outcome.error is None and isinstance(value, AIMessage) and value.usage_metadata is not None
    )


def _why_unbounded(messages: Iterable[BaseMessage], options: Mapping[str, Any]) -> str:
    for name in _KEPT_BY_PROVIDER:
        if options.get(name):
            return f"the option {name!r} refers to a text that the provider keeps"
    for tool in options.get("tools") or ():
        kind = tool.get("type", "function") if isinstance(tool, Mapping) else "function"
        if kind not in _PLAIN_TOOLS:
            return f"the provider's own tool {kind!r} reads what nobody here sees"
    for message in messages:
        if "audio" in message.additional_kwargs:
            return "a message holds sound"
        for block in message.content if isinstance(message.content, list) else ():
            kind = block.get("type") if isinstance(block, dict) else "text"
            if kind not in _TEXT:
                return f"a message holds a part of type {kind!r}, whose tokens cannot be counted"
    return ""


def _message(message: BaseMessage) -> str:
    """Return what can be sent of a message, never shorter than that."""
    parts: list[Any] = [message.type, message.content, message.name, message.additional_kwargs]
    calls = [
        {
            "type": "function",
            "id": call["id"],
            "function": {
                "name": call["name"],
                "arguments": json.dumps(call["args"], default=str),
            },
        }
        for call in getattr(message, "tool_calls", ())
    ]
    invalid = getattr(message, "invalid_tool_calls", ())
    return _json([*parts, calls, invalid, getattr(message, "tool_call_id", None)])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()
    return str(value)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
