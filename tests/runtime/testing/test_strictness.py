"""What the server refuses, in the real API's error shape."""

from copy import deepcopy
from typing import Any

import openai
import pytest

from treadle.runtime.testing import ScriptedOpenAI, say

USER = {"role": "user", "content": "Hello?"}


def call_of(*ids: str) -> dict[str, Any]:
    function = {"name": "weather", "arguments": "{}"}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def tool(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "21"}


def function(**changes: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **changes}}


def chat(**changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "messages": [USER], **changes}


def refused(server: ScriptedOpenAI, client: Any, path: str, body: Any) -> Any:
    """Send a body the typed client would not build, and return the error it meets."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.post(path, body=body, cast_to=object)
    error = raised.value
    assert error.type == "invalid_request_error"
    assert server.rejected[-1].status == 400
    assert server.rejected[-1].param == error.param
    assert server.billed.requests == 0
    return error


NESTED_STRICT = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}}},
    "required": ["a"],
    "additionalProperties": False,
}

CHAT_CASES: dict[str, tuple[Any, str | None, str | None]] = {
    "no model": ({"messages": [USER]}, "model", "missing_required_parameter"),
    "model of wrong type": (chat(model=3), "model", "invalid_type"),
    "no messages": ({"model": "m"}, "messages", "missing_required_parameter"),
    "messages no array": (chat(messages="hi"), "messages", "invalid_type"),
    "no message": (chat(messages=[]), "messages", "empty_array"),
    "message no object": (chat(messages=["hi"]), "messages[0]", "invalid_type"),
    "no role": (
        chat(messages=[{"content": "x"}]),
        "messages[0].role",
        "missing_required_parameter",
    ),
    "unknown role": (
        chat(messages=[USER, {"role": "robot", "content": "x"}]),
        "messages[1].role",
        "invalid_value",
    ),
    "role function": (
        chat(messages=[{"role": "function", "name": "f", "content": "x"}]),
        "messages[0].role",
        "unsupported_parameter",
    ),
    "content a number": (
        chat(messages=[{"role": "user", "content": 3}]),
        "messages[0].content",
        "invalid_type",
    ),
    "content null": (
        chat(messages=[{"role": "user", "content": None}]),
        "messages[0].content",
        "invalid_type",
    ),
    "assistant with nothing": (
        chat(messages=[{"role": "assistant", "content": None}]),
        "messages[0].content",
        "invalid_type",
    ),
    "tool content missing": (
        chat(messages=[USER, call_of("a"), {"role": "tool", "tool_call_id": "a"}]),
        "messages[2].content",
        "invalid_type",
    ),
    "unknown part": (
        chat(messages=[{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "image from the system": (
        chat(messages=[{"role": "system", "content": [{"type": "image_url", "image_url": {}}]}]),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "part without its text": (
        chat(messages=[{"role": "user", "content": [{"type": "text"}]}]),
        "messages[0].content[0].text",
        "missing_required_parameter",
    ),
    "unanswered call at the end": (chat(messages=[USER, call_of("a")]), "messages", None),
    "unanswered call before a message": (
        chat(messages=[USER, call_of("a"), USER]),
        "messages[2].role",
        None,
    ),
    "one of two calls unanswered": (
        chat(messages=[USER, call_of("a", "b"), tool("a"), USER]),
        "messages[3].role",
        None,
    ),
    "answer after another message": (
        chat(messages=[USER, call_of("a"), USER, tool("a")]),
        "messages[2].role",
        None,
    ),
    "tool message without a call": (chat(messages=[USER, tool("a")]), "messages[1].role", None),
    "tool message for another call": (
        chat(messages=[USER, call_of("a"), tool("b")]),
        "messages[2].tool_call_id",
        None,
    ),
    "call answered twice": (
        chat(messages=[USER, call_of("a", "b"), tool("a"), tool("a"), tool("b")]),
        "messages[3].tool_call_id",
        None,
    ),
    "tool message without an id": (
        chat(messages=[USER, call_of("a"), {"role": "tool", "content": "x"}]),
        "messages[2].tool_call_id",
        "missing_required_parameter",
    ),
    "duplicate call ids": (
        chat(messages=[USER, call_of("a", "a"), tool("a")]),
        "messages[1].tool_calls[1].id",
        "invalid_value",
    ),
    "empty tool calls": (
        chat(messages=[{"role": "assistant", "content": "x", "tool_calls": []}]),
        "messages[0].tool_calls",
        "empty_array",
    ),
    "call arguments no text": (
        chat(
            messages=[
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "f", "arguments": {}},
                        }
                    ],
                }
            ]
        ),
        "messages[0].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    "no tools": (chat(tools=[]), "tools", "empty_array"),
    "too many tools": (chat(tools=[function()] * 129), "tools", "array_above_max_length"),
    "tool name with a space": (
        chat(tools=[function(name="my tool")]),
        "tools[0].function.name",
        "invalid_value",
    ),
    "tool name with a newline": (
        chat(tools=[function(name="f\n")]),
        "tools[0].function.name",
        "invalid_value",
    ),
    "tool name too long": (
        chat(tools=[function(name="f" * 65)]),
        "tools[0].function.name",
        "string_above_max_length",
    ),
    "tool without a name": (
        chat(tools=[{"type": "function", "function": {}}]),
        "tools[0].function.name",
        "missing_required_parameter",
    ),
    "tool in the other API's shape": (
        chat(tools=[{"type": "function", "name": "f"}]),
        "tools[0].function",
        "missing_required_parameter",
    ),
    "schema no object": (
        chat(tools=[function(parameters={"type": "string"})]),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "schema type unknown": (
        chat(
            tools=[function(parameters={"type": "object", "properties": {"a": {"type": "date"}}})]
        ),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "array without items": (
        chat(
            tools=[function(parameters={"type": "object", "properties": {"a": {"type": "array"}}})]
        ),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "strict without additionalProperties": (
        chat(tools=[function(strict=True, parameters=NESTED_STRICT)]),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "strict with an optional property": (
        chat(
            tools=[
                function(
                    strict=True,
                    parameters={
                        "type": "object",
                        "properties": {"a": {"type": "string"}},
                        "required": [],
                        "additionalProperties": False,
                    },
                )
            ]
        ),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "choice without tools": (chat(tool_choice="required"), "tool_choice", None),
    "choice of another tool": (
        chat(tools=[function()], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice",
        None,
    ),
    "choice unknown": (
        chat(tools=[function()], tool_choice="any"),
        "tool_choice",
        "invalid_value",
    ),
    "parallel calls without tools": (
        chat(parallel_tool_calls=False),
        "parallel_tool_calls",
        None,
    ),
    "too hot": (chat(temperature=2.1), "temperature", "decimal_above_max_value"),
    "too cold": (chat(temperature=-0.1), "temperature", "decimal_below_min_value"),
    "temperature a text": (chat(temperature="1"), "temperature", "invalid_type"),
    "temperature true": (chat(temperature=True), "temperature", "invalid_type"),
    "no tokens": (
        chat(max_completion_tokens=0),
        "max_completion_tokens",
        "integer_below_min_value",
    ),
    "both token limits": (
        chat(max_tokens=5, max_completion_tokens=5),
        "max_tokens",
        "invalid_parameter_combination",
    ),
    "stream options without a stream": (
        chat(stream_options={"include_usage": True}),
        "stream_options",
        None,
    ),
    "too many stops": (chat(stop=list("abcde")), "stop", "array_above_max_length"),
    "stop a number": (chat(stop=1), "stop", "invalid_type"),
    "two choices": (chat(n=2), "n", "unsupported_parameter"),
    "logprobs": (chat(logprobs=True), "logprobs", "unsupported_parameter"),
    "old functions": (chat(functions=[{"name": "f"}]), "functions", "unsupported_parameter"),
    "unknown parameter": (chat(temprature=1), "temprature", "unknown_parameter"),
    "format unknown": (
        chat(response_format={"type": "yaml"}),
        "response_format.type",
        "invalid_value",
    ),
    "schema without a name": (
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    "strict schema not closed": (
        chat(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
            }
        ),
        "response_format.json_schema",
        None,
    ),
    "json not spoken of": (chat(response_format={"type": "json_object"}), "messages", None),
    "body no object": ([1, 2], None, None),
}


@pytest.mark.parametrize("case", CHAT_CASES)
def test_chat_completions_refuse(client_of, case):
    body, param, code = CHAT_CASES[case]
    with ScriptedOpenAI([]) as server:
        error = refused(server, client_of(server), "/chat/completions", deepcopy(body))
    assert (error.param, error.code) == (param, code)
    assert error.body["message"]


def item_call(call_id: str, **changes: Any) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}
    return {**call, **changes}


def item_output(call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "21"}


def items(*sent: Any, **changes: Any) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "input": list(sent), **changes}


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}

RESPONSES_CASES: dict[str, tuple[Any, str | None, str | None]] = {
    "no model": ({"input": "x"}, "model", "missing_required_parameter"),
    "no input": ({"model": "m"}, "input", "missing_required_parameter"),
    "input empty": (items(), "input", "empty_array"),
    "input a number": ({"model": "m", "input": 3}, "input", "invalid_type"),
    "item no object": (items("x"), "input[0]", "invalid_type"),
    "unknown role": (items({"role": "tool", "content": "x"}), "input[0].role", "invalid_value"),
    "content a number": (
        items({"role": "user", "content": 3}),
        "input[0].content",
        "invalid_type",
    ),
    "part of the other API": (
        items({"role": "user", "content": [{"type": "text", "text": "x"}]}),
        "input[0].content[0]",
        "invalid_value",
    ),
    "input part from the assistant": (
        items({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}),
        "input[0].content[0]",
        "invalid_value",
    ),
    "output without a call": (items(USER, item_output("a")), "input", None),
    "output before its call": (items(item_output("a"), item_call("a")), "input", None),
    "call without an output": (items(USER, item_call("a")), "input", None),
    "call answered twice": (
        items(item_call("a"), item_output("a"), item_output("a")),
        "input",
        "invalid_value",
    ),
    "call made twice": (
        items(item_call("a"), item_call("a"), item_output("a")),
        "input",
        "invalid_value",
    ),
    "call without a name": (
        items(item_call("a", name=None), item_output("a")),
        "input[0].name",
        "missing_required_parameter",
    ),
    "foreign item id": (
        items(item_call("a", id="lc_1"), item_output("a")),
        "input[0].id",
        "invalid_value",
    ),
    "reasoning alone": (items(REASONING), "input", None),
    "reasoning before the user": (items(REASONING, USER), "input", None),
    "unserved item": (
        items({"type": "item_reference", "id": "msg_1"}),
        "input[0].type",
        "unsupported_parameter",
    ),
    "unserved tool": (
        items(USER, tools=[{"type": "web_search"}]),
        "tools[0].type",
        "unsupported_parameter",
    ),
    "tool in the other API's shape": (
        items(USER, tools=[function()]),
        "tools[0].name",
        "missing_required_parameter",
    ),
    "choice of another tool": (
        items(
            USER,
            tools=[{"type": "function", "name": "f"}],
            tool_choice={"type": "function", "name": "g"},
        ),
        "tool_choice",
        None,
    ),
    "in the background": (items(USER, background=True), "background", "unsupported_parameter"),
    "messages": (items(USER, messages=[USER]), "messages", "unknown_parameter"),
    "too hot": (items(USER, temperature=3), "temperature", "decimal_above_max_value"),
    "too few tokens": (
        items(USER, max_output_tokens=15),
        "max_output_tokens",
        "integer_below_min_value",
    ),
    "no such response": (
        items(USER, previous_response_id="resp_1"),
        "previous_response_id",
        "previous_response_not_found",
    ),
    "schema without a schema": (
        items(USER, text={"format": {"type": "json_schema", "name": "n"}}),
        "text.format.schema",
        "missing_required_parameter",
    ),
}


@pytest.mark.parametrize("case", RESPONSES_CASES)
def test_responses_refuse(client_of, case):
    body, param, code = RESPONSES_CASES[case]
    with ScriptedOpenAI([]) as server:
        error = refused(server, client_of(server), "/responses", deepcopy(body))
    assert (error.param, error.code) == (param, code)


VALID_CHATS = {
    "calls answered in another order": [USER, call_of("a", "b"), tool("b"), tool("a"), USER],
    "an id used again in a later turn": [USER, call_of("a"), tool("a"), call_of("a"), tool("a")],
    "a developer": [{"role": "developer", "content": "Be brief."}, USER],
    "parts": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            ],
        }
    ],
    "a refusal sent back": [USER, {"role": "assistant", "refusal": "No.", "content": None}, USER],
}


@pytest.mark.parametrize("case", VALID_CHATS)
def test_what_the_real_api_takes_is_taken(client_of, case):
    with ScriptedOpenAI([say("Fine.")]) as server:
        answer = client_of(server).chat.completions.create(
            model="gpt-5-mini", messages=VALID_CHATS[case]
        )
    assert answer.choices[0].message.content == "Fine."


def test_json_mode_when_json_is_spoken_of(client_of):
    with ScriptedOpenAI([say("{}"), say("{}")]) as server:
        client = client_of(server)
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Answer in JSON."}],
            response_format={"type": "json_object"},
            n=1,
            stop=["a"],
            temperature=None,
        )
        client.responses.create(
            model="m", input="Answer in JSON.", text={"format": {"type": "json_object"}}
        )


def test_a_strict_schema_that_is_closed_is_taken(client_of):
    closed = {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"type": ["string", "null"]}},
            "more": {"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}]},
        },
        "required": ["tags", "more"],
        "additionalProperties": False,
        "$defs": {
            "leaf": {
                "type": "object",
                "properties": {},
                "required": [],
                "additionalProperties": False,
            }
        },
    }
    with ScriptedOpenAI([say("ok")]) as server:
        tools = [function(strict=True, parameters=closed)]
        client_of(server).chat.completions.create(
            model="m", messages=[USER], tools=tools, tool_choice="auto"
        )


@pytest.mark.parametrize("key", ["wrong", "test-key2"])
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings"])
def test_a_wrong_key(client_of, key, path):
    with ScriptedOpenAI([]) as server, pytest.raises(openai.AuthenticationError) as raised:
        client_of(server, api_key=key).post(path, body=chat(), cast_to=object)
    assert raised.value.body["type"] == "invalid_request_error"
    assert key not in str(raised.value.body["message"])


def test_the_accepted_key_is_configurable(client_of):
    with ScriptedOpenAI([say("Hi.")], api_key="another") as server:
        client_of(server, api_key="another").chat.completions.create(**chat())


def test_an_unknown_model_is_not_found(client_of):
    with ScriptedOpenAI([], models=["small"]) as server:
        client = client_of(server)
        for ask in (
            lambda: client.chat.completions.create(**chat()),
            lambda: client.responses.create(model="large", input="x"),
            lambda: client.models.retrieve("large"),
        ):
            with pytest.raises(openai.NotFoundError) as raised:
                ask()
            assert raised.value.code == "model_not_found"


def test_an_unknown_path_and_a_wrong_method(client_of):
    with ScriptedOpenAI([]) as server:
        client = client_of(server)
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            client.files.list()
        with pytest.raises(openai.APIStatusError) as raised:
            client.get("/chat/completions", cast_to=object)
    assert raised.value.status_code == 405


def test_a_rejected_request_takes_no_reply(client_of):
    with ScriptedOpenAI([say("Hi.")]) as server:
        client = client_of(server)
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**chat(temperature=9))
        answer = client.chat.completions.create(**chat())
    assert answer.choices[0].message.content == "Hi."
    assert len(server.requests) == 2
    assert server.rejected[0].request is server.requests[0]
