"""What ``POST /v1/responses`` refuses."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from treadle.runtime.testing import _checks
from treadle.runtime.testing._chat_rules import check_mentions_json
from treadle.runtime.testing._checks import (
    Check,
    anything,
    boolean,
    decimal,
    integer,
    not_served,
    one_of,
    string,
)
from treadle.runtime.testing._errors import bad_request
from treadle.runtime.testing._schemas import (
    check_function,
    check_output_schema,
    check_tool_choice,
)

Item = Mapping[str, Any]

_PARAMETERS: Mapping[str, Check] = {
    "input": anything,
    "model": string,
    "background": not_served(False),
    "context_management": not_served(),
    "conversation": not_served(),
    "image": not_served(),
    "include": _checks.array,
    "instructions": string,
    "max_output_tokens": integer(16),
    "max_tool_calls": integer(1),
    "metadata": _checks.mapping,
    "moderation": not_served(),
    "parallel_tool_calls": boolean,
    "previous_response_id": string,
    "prompt": not_served(),
    "prompt_cache_key": string,
    "prompt_cache_options": _checks.mapping,
    "prompt_cache_retention": anything,
    "reasoning": _checks.mapping,
    "safety_identifier": string,
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "store": boolean,
    "stream": boolean,
    "stream_options": _checks.mapping,
    "temperature": decimal(0, 2),
    "text": _checks.mapping,
    "tool_choice": anything,
    "tools": _checks.array,
    "top_logprobs": not_served(0),
    "top_p": decimal(0, 1),
    "truncation": one_of("auto", "disabled"),
    "user": string,
}
_MAX_TOOLS = 128
_ID_PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_SERVED_ITEMS = ("message", "function_call", "function_call_output", "reasoning")
_INPUT_PARTS = ("input_text", "input_image", "input_file")
_PARTS_OF_ROLE: Mapping[str, tuple[str, ...]] = {
    "system": _INPUT_PARTS,
    "developer": _INPUT_PARTS,
    "user": _INPUT_PARTS,
    "assistant": ("output_text", "refusal"),
}
_OUTPUT_PARTS = ("input_text", "input_image", "input_file")
_TEXT_OF_PART = {"input_text": "text", "output_text": "text", "refusal": "refusal"}


def check_responses(body: Mapping[str, Any]) -> list[Item]:
    """Check one request by itself and return its input items, a text as one message.

    Raises:
        ApiError: the real API would refuse it, or it asks for what is not served here.
    """
    _checks.check_parameters(body, _PARAMETERS)
    if body.get("previous_response_id") is None:
        _checks.require(body, "input")
    items = _items(body.get("input"))
    if body.get("previous_response_id") is None:
        _checks.check_not_empty(items, "input")
    for at, item in enumerate(items):
        _check_item(item, f"input[{at}]")
    _check_tools(body)
    _check_text(body.get("text"), body)
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise bad_request(message, param="stream_options")
    return items


def check_conversation(items: Sequence[Item]) -> None:
    """Check a whole conversation, earlier responses included: calls, outputs and reasoning.

    Raises:
        ApiError: a call has no output, an output no call, or a reasoning item stands alone.
    """
    called = {item["call_id"] for item in items if _kind(item) == "function_call"}
    answered: set[str] = set()
    calls_so_far: set[str] = set()
    for item in items:
        if _kind(item) == "function_call":
            if item["call_id"] in calls_so_far:
                message = f"Duplicate function call with call_id {item['call_id']}."
                raise bad_request(message, param="input", code="invalid_value")
            calls_so_far.add(item["call_id"])
        elif _kind(item) == "function_call_output":
            if item["call_id"] not in calls_so_far:
                message = (
                    f"No tool call found for function call output with call_id {item['call_id']}."
                )
                raise bad_request(message, param="input")
            if item["call_id"] in answered:
                message = f"Duplicate function call output with call_id {item['call_id']}."
                raise bad_request(message, param="input", code="invalid_value")
            answered.add(item["call_id"])
    for call_id in sorted(called - answered):
        raise bad_request(f"No tool output found for function call {call_id}.", param="input")
    _check_reasoning(items)


def _check_reasoning(items: Sequence[Item]) -> None:
    for item, following in zip_longest(items, items[1:]):
        if _kind(item) == "reasoning" and not _is_from_model(following):
            message = (
                f"Item '{item['id']}' of type 'reasoning' was provided without its required "
                "following item."
            )
            raise bad_request(message, param="input")


def _is_from_model(item: Item | None) -> bool:
    if item is None:
        return False
    return _kind(item) in {"reasoning", "function_call"} or item.get("role") == "assistant"


def _kind(item: Item) -> str:
    return str(item.get("type") or "message")


def _items(sent: Any) -> list[Item]:
    if sent is None:
        return []
    if isinstance(sent, str):
        return [{"type": "message", "role": "user", "content": sent}]
    if not isinstance(sent, list):
        raise _checks.wrong_type(sent, "input", "one of a string or array of objects")
    return sent


def _check_item(item: Any, place: str) -> None:
    _checks.mapping(item, place)
    kind = item.get("type") or "message"
    string(kind, f"{place}.type")
    if kind not in _SERVED_ITEMS:
        not_served()(kind, f"{place}.type")
    _check_id(item.get("id"), _ID_PREFIXES.get(kind), f"{place}.id")
    if kind == "message":
        role = _checks.require(item, "role", place)
        one_of(*_PARTS_OF_ROLE)(role, f"{place}.role")
        _check_content(item.get("content"), f"{place}.content", _PARTS_OF_ROLE[role])
    elif kind == "reasoning":
        string(_checks.require(item, "id", place), f"{place}.id")
        _checks.array(_checks.require(item, "summary", place), f"{place}.summary")
    else:
        _check_call_item(item, kind, place)


def _check_call_item(item: dict[str, Any], kind: str, place: str) -> None:
    string(_checks.require(item, "call_id", place), f"{place}.call_id")
    if kind == "function_call":
        _checks.check_name(_checks.require(item, "name", place), f"{place}.name")
        string(_checks.require(item, "arguments", place), f"{place}.arguments")
    else:
        _checks.require(item, "output", place)
        _check_content(item["output"], f"{place}.output", _OUTPUT_PARTS)


def _check_id(item_id: Any, prefix: str | None, place: str) -> None:
    if item_id is None or prefix is None:
        return
    string(item_id, place)
    if not item_id.startswith(prefix):
        message = f"Invalid '{place}': '{item_id}'. Expected an ID that begins with '{prefix}'."
        raise bad_request(message, param=place, code="invalid_value")


def _check_content(content: Any, place: str, allowed: tuple[str, ...]) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _checks.wrong_type(content, place, "one of a string or array of objects")
    for at, part in enumerate(content):
        part_place = f"{place}[{at}]"
        _checks.mapping(part, part_place)
        kind = _checks.require(part, "type", part_place)
        one_of(*allowed)(kind, part_place)
        if kind in _TEXT_OF_PART:
            text = _checks.require(part, _TEXT_OF_PART[kind], part_place)
            string(text, f"{part_place}.{_TEXT_OF_PART[kind]}")


def _check_tools(body: Mapping[str, Any]) -> None:
    tools = body.get("tools") or []
    _checks.check_at_most(tools, "tools", _MAX_TOOLS)
    names: list[str] = []
    for at, tool in enumerate(tools):
        place = f"tools[{at}]"
        _checks.mapping(tool, place)
        kind = _checks.require(tool, "type", place)
        if kind != "function":
            not_served()(kind, f"{place}.type")
        check_function(tool, place)
        names.append(tool["name"])
    choice = body.get("tool_choice")
    if choice is not None:
        check_tool_choice(choice, _named_tool(choice), names)


def _named_tool(choice: Any) -> str | None:
    if isinstance(choice, str):
        return None
    _checks.mapping(choice, "tool_choice")
    kind = _checks.require(choice, "type", "tool_choice")
    if kind != "function":
        not_served()(kind, "tool_choice.type")
    return str(_checks.require(choice, "name", "tool_choice"))


def _check_text(text: Mapping[str, Any] | None, body: Mapping[str, Any]) -> None:
    asked = (text or {}).get("format")
    if asked is None:
        return
    _checks.mapping(asked, "text.format")
    kind = _checks.require(asked, "type", "text.format")
    one_of("text", "json_object", "json_schema")(kind, "text.format.type")
    if kind == "json_schema":
        _checks.require(asked, "schema", "text.format")
        check_output_schema(asked, "text.format")
    elif kind == "json_object":
        check_mentions_json([body.get("input"), body.get("instructions")], "input")
