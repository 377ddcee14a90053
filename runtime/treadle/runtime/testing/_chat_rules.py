"""What ``POST /v1/chat/completions`` refuses."""

import json
from collections.abc import Mapping
from typing import Any

from treadle.runtime.testing import _checks
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

_PARAMETERS: Mapping[str, Check] = {
    "messages": _checks.array,
    "model": string,
    "audio": not_served(),
    "frequency_penalty": decimal(-2, 2),
    "function_call": not_served(),
    "functions": not_served(),
    "logit_bias": _checks.mapping,
    "logprobs": not_served(False),
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "metadata": _checks.mapping,
    "modalities": not_served(["text"]),
    "moderation": not_served(),
    "n": not_served(1),
    "parallel_tool_calls": boolean,
    "prediction": _checks.mapping,
    "presence_penalty": decimal(-2, 2),
    "prompt_cache_key": string,
    "prompt_cache_options": _checks.mapping,
    "prompt_cache_retention": anything,
    "reasoning_effort": string,
    "response_format": _checks.mapping,
    "safety_identifier": string,
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": anything,
    "store": boolean,
    "stream": boolean,
    "stream_options": _checks.mapping,
    "temperature": decimal(0, 2),
    "tool_choice": anything,
    "tools": _checks.array,
    "top_logprobs": not_served(),
    "top_p": decimal(0, 1),
    "user": string,
    "verbosity": one_of("low", "medium", "high"),
    "web_search_options": not_served(),
}
_MAX_TOOLS = 128
_MAX_STOPS = 4

_PARTS_OF_ROLE: Mapping[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}


def check_chat(body: Mapping[str, Any]) -> None:
    """Check a whole request.

    Raises:
        ApiError: the real API would refuse it, or it asks for what is not served here.
    """
    _checks.require(body, "messages")
    _checks.check_parameters(body, _PARAMETERS)
    _checks.check_not_empty(body["messages"], "messages")
    for at, message in enumerate(body["messages"]):
        _check_message(message, f"messages[{at}]")
    _check_answers(body["messages"])
    _check_tools(body)
    _check_options(body)
    if body.get("response_format") is not None:
        _check_response_format(body["response_format"], body["messages"])


def _check_message(message: Any, place: str) -> None:
    _checks.mapping(message, place)
    role = _checks.require(message, "role", place)
    if role == "function":
        not_served()(role, f"{place}.role")
    one_of(*_PARTS_OF_ROLE)(role, f"{place}.role")
    if role == "assistant" and message.get("tool_calls") is not None:
        _check_tool_calls(message["tool_calls"], f"{place}.tool_calls")
    elif role != "assistant" or message.get("refusal") is None:
        _check_content(message.get("content"), f"{place}.content", role)
        return
    if message.get("content") is not None:
        _check_content(message["content"], f"{place}.content", role)


def _check_content(content: Any, place: str, role: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _checks.wrong_type(content, place, "one of a string or array of objects")
    for at, part in enumerate(content):
        part_place = f"{place}[{at}]"
        _checks.mapping(part, part_place)
        kind = _checks.require(part, "type", part_place)
        one_of(*_PARTS_OF_ROLE[role])(kind, f"{part_place}.type")
        value = part.get(kind)
        if value is None:
            _checks.require(part, kind, part_place)
        check = string if kind in {"text", "refusal"} else _checks.mapping
        check(value, f"{part_place}.{kind}")


def _check_tool_calls(tool_calls: Any, place: str) -> None:
    _checks.array(tool_calls, place)
    _checks.check_not_empty(tool_calls, place)
    seen: set[str] = set()
    for at, call in enumerate(tool_calls):
        call_place = f"{place}[{at}]"
        _checks.mapping(call, call_place)
        call_id = _checks.require(call, "id", call_place)
        string(call_id, f"{call_place}.id")
        one_of("function")(_checks.require(call, "type", call_place), f"{call_place}.type")
        function = _checks.require(call, "function", call_place)
        _checks.mapping(function, f"{call_place}.function")
        name = _checks.require(function, "name", f"{call_place}.function")
        _checks.check_name(name, f"{call_place}.function.name")
        arguments = _checks.require(function, "arguments", f"{call_place}.function")
        string(arguments, f"{call_place}.function.arguments")
        if call_id in seen:
            message = f"Invalid parameter: duplicate tool call id '{call_id}' in one message."
            raise bad_request(message, param=f"{call_place}.id", code="invalid_value")
        seen.add(call_id)


def _check_answers(messages: list[dict[str, Any]]) -> None:
    """Check that every tool call is answered right after it, once, and nothing else is."""
    called: set[str] = set()
    waiting: dict[str, None] = {}
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            _check_tool_message(message, f"messages[{at}]", called, waiting)
            waiting.pop(message["tool_call_id"])
            continue
        _check_none_waiting(waiting, f"messages[{at}].role")
        called = {call["id"] for call in message.get("tool_calls") or []}
        waiting = {call["id"]: None for call in message.get("tool_calls") or []}
    _check_none_waiting(waiting, "messages")


def _check_tool_message(
    message: dict[str, Any], place: str, called: set[str], waiting: dict[str, None]
) -> None:
    call_id = _checks.require(message, "tool_call_id", place)
    string(call_id, f"{place}.tool_call_id")
    if not called:
        text = (
            "Invalid parameter: messages with role 'tool' must be a response to a preceding "
            "message with 'tool_calls'."
        )
        raise bad_request(text, param=f"{place}.role")
    if call_id not in called:
        text = f"Invalid parameter: 'tool_call_id' of '{call_id}' not found in the 'tool_calls'"
        raise bad_request(f"{text} of the previous message.", param=f"{place}.tool_call_id")
    if call_id not in waiting:
        text = f"Invalid parameter: 'tool_call_id' of '{call_id}' has been answered already."
        raise bad_request(text, param=f"{place}.tool_call_id")


def _check_none_waiting(waiting: dict[str, None], place: str) -> None:
    if waiting:
        message = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(waiting)}"
        )
        raise bad_request(message, param=place)


def _check_tools(body: Mapping[str, Any]) -> None:
    tools = body.get("tools")
    names: list[str] = []
    if tools is not None:
        _checks.check_not_empty(tools, "tools")
        _checks.check_at_most(tools, "tools", _MAX_TOOLS)
    for at, tool in enumerate(tools or []):
        place = f"tools[{at}]"
        _checks.mapping(tool, place)
        kind = _checks.require(tool, "type", place)
        if kind == "custom":
            not_served()(kind, f"{place}.type")
        one_of("function")(kind, f"{place}.type")
        check_function(_checks.require(tool, "function", place), f"{place}.function")
        names.append(tool["function"]["name"])
    if body.get("parallel_tool_calls") is not None and not names:
        message = "Invalid value for 'parallel_tool_calls': it is only allowed with 'tools'."
        raise bad_request(message, param="parallel_tool_calls")
    choice = body.get("tool_choice")
    if choice is not None:
        check_tool_choice(choice, _named_tool(choice), names)


def _named_tool(choice: Any) -> str | None:
    if isinstance(choice, str):
        return None
    _checks.mapping(choice, "tool_choice")
    one_of("function")(_checks.require(choice, "type", "tool_choice"), "tool_choice.type")
    function = _checks.require(choice, "function", "tool_choice")
    _checks.mapping(function, "tool_choice.function")
    return str(_checks.require(function, "name", "tool_choice.function"))


def _check_options(body: Mapping[str, Any]) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise bad_request(message, param="stream_options")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at once is not supported."
        raise bad_request(message, param="max_tokens", code="invalid_parameter_combination")
    stop = body.get("stop")
    if stop is not None and not isinstance(stop, str):
        if not isinstance(stop, list):
            raise _checks.wrong_type(stop, "stop", "one of a string or array of strings")
        _checks.check_at_most(stop, "stop", _MAX_STOPS)
        for at, one in enumerate(stop):
            string(one, f"stop[{at}]")


def _check_response_format(asked: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    kind = _checks.require(asked, "type", "response_format")
    one_of("text", "json_object", "json_schema")(kind, "response_format.type")
    if kind == "json_schema":
        schema = _checks.require(asked, "json_schema", "response_format")
        check_output_schema(schema, "response_format.json_schema")
    elif kind == "json_object":
        check_mentions_json(messages, "messages")


def check_mentions_json(prompt: Any, place: str) -> None:
    """Check that a prompt asks for JSON in words, as the ``json_object`` format demands."""
    if "json" not in json.dumps(prompt).lower():
        message = (
            f"'{place}' must contain the word 'json' in some form, to use the format of type "
            "'json_object'."
        )
        raise bad_request(message, param=place)
