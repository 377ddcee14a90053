"""Every field that OpenAI's package can send: it is served, or it is refused by its name."""

import re
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params as response_params

from tests.server.openai.conftest import CITY
from treadle.server.openai.chat import ChatRequest
from treadle.server.openai.responses import ResponseRequest

PAGE = Path(__file__).parents[3] / "docs" / "openai.md"
ASKED = [{"role": "user", "content": "Give me json"}]
TOOL = {"name": "look", "parameters": CITY}
SCHEMA = {"name": "place", "schema": CITY}
TOOLS = {"tools": [{"type": "function", **TOOL}]}
CHAT_TOOLS = {"tools": [{"type": "function", "function": TOOL}]}

SERVED = {
    "responses": {
        "background": [True, False],
        "conversation": ["fields", {"id": "fields"}],
        "input": ["Hello?", ASKED],
        "instructions": ["Be brief."],
        "max_output_tokens": [500],
        "metadata": [{"topic": "looms"}],
        "model": ["guide"],
        "previous_response_id": [],  # Shown by the tests of conversations.
        "reasoning": [{"effort": "high"}, {"effort": None}, {}],
        "store": [True, False],
        "stream": [True, False],
        "temperature": [0, 0.7, 2],
        "text": [
            {"format": {"type": "text"}},
            {"format": {"type": "json_schema", **SCHEMA}},
            {"verbosity": "low"},
        ],
        "tool_choice": ["auto", "none"],
        "tools": [TOOLS["tools"]],
        "top_p": [0.1, 1],
        "user": ["ann"],
    },
    "chat/completions": {
        "frequency_penalty": [-2, 0.5],
        "max_completion_tokens": [500],
        "max_tokens": [500],
        "messages": [ASKED],
        "metadata": [{"thread_id": "fields-chat"}],
        "model": ["guide"],
        "presence_penalty": [0, 2],
        "reasoning_effort": ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
        "response_format": [{"type": "text"}, {"type": "json_schema", "json_schema": SCHEMA}],
        "seed": [7, -1],
        "stop": ["END", ["a", "b"], []],
        "store": [True, False],
        "stream": [True, False],
        "stream_options": [{"include_usage": True}],
        "temperature": [0, 0.7, 2],
        "tool_choice": ["auto", "none"],
        "tools": [CHAT_TOOLS["tools"]],
        "top_p": [0.1, 1],
        "user": ["ann"],
        "verbosity": ["low", "medium", "high"],
    },
}
"""Values of each field that is served. What of them is not is refused as well; see below."""
NOT_ALL = {
    "responses": {
        "input": [
            [{"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b"}]}],
            [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}],
            [{"type": "item_reference", "id": "msg_1"}],
        ],
        "reasoning": [{"summary": "auto"}, {"effort": "high", "mode": "pro"}],
        "text": [{"format": {"type": "json_object"}}],
        "tool_choice": ["required", {"type": "function", "name": "look"}],
        "tools": [[{"type": "web_search"}], [{"type": "mcp", "server_label": "a"}]],
    },
    "chat/completions": {
        "messages": [
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}],
            [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}],
        ],
        "response_format": [{"type": "json_object"}],
        "tool_choice": ["required", {"type": "function", "function": {"name": "look"}}],
        "tools": [[{"type": "custom", "custom": {"name": "look"}}]],
    },
}
"""Values of fields that are served, of kinds that are not."""
OUT_OF_RANGE = {
    "frequency_penalty": [2.1, "0"],
    "presence_penalty": [-3, True],
    "reasoning": [{"effort": "utmost"}],
    "reasoning_effort": ["utmost", 3],
    "seed": [1.5, 2**53, "7"],
    "stop": [["a", "b", "c", "d", "e"], "", 7],
    "temperature": [-0.1, 2.5, "hot", True],
    "text": [{"verbosity": "utmost"}],
    "top_p": [1.5, "all"],
    "verbosity": ["utmost", 1],
}
"""Values of fields that are served, which OpenAI's API refuses as well."""
ROUTES = {
    "responses": (
        response_params.ResponseCreateParamsNonStreaming,
        response_params.ResponseCreateParamsStreaming,
        ResponseRequest,
        {"model": "guide", "input": "Give me json"},
    ),
    "chat/completions": (
        chat_params.CompletionCreateParamsNonStreaming,
        chat_params.CompletionCreateParamsStreaming,
        ChatRequest,
        {"model": "guide", "messages": ASKED},
    ),
}


def fields_of(route):
    whole, streaming, _, _ = ROUTES[route]
    return sorted(whole.__annotations__ | streaming.__annotations__ | _inherited(whole))


def _inherited(params):
    found = {}
    for base in params.__orig_bases__:
        found |= getattr(base, "__annotations__", {})
    return found


EVERY = [(route, name) for route in ROUTES for name in fields_of(route)]


def ask(server, route, **fields):
    body = {**ROUTES[route][3], **fields}
    return httpx.post(f"{server.url}/v1/{route}", json=body, timeout=60)


def test_the_package_has_fields():
    assert len(EVERY) > 50
    for route, served in SERVED.items():
        assert set(served) <= set(fields_of(route)), "a field that the package has no longer"
        assert set(NOT_ALL[route]) <= set(served)


@pytest.mark.parametrize(("route", "name"), EVERY)
def test_a_field_is_served_or_refused_by_its_name(server, route, name):
    if name in SERVED[route]:
        for value in SERVED[route][name]:
            options = {"stream": True} if name == "stream_options" else {}
            if name == "tool_choice":
                options = TOOLS if route == "responses" else CHAT_TOOLS
            answer = ask(server, route, **{name: value}, **options)
            assert answer.status_code == 200, answer.text
        refused = [*NOT_ALL[route].get(name, []), *OUT_OF_RANGE.get(name, [])]
    else:
        refused = ["surely-not", {"surely": "not"}, 0.125]
        for value in ROUTES[route][2].neutral.get(name, ()):
            assert ask(server, route, **{name: value}).status_code == 200
    for value in refused:
        answer = ask(server, route, **{name: value})
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert re.split(r"[.\[]", error["param"])[0] == name, error
        assert error["type"] == "invalid_request_error"


def _row(route, name):
    if name in SERVED[route]:
        how = "served, in part" if name in NOT_ALL[route] else "served"
    else:
        taken = ROUTES[route][2].neutral.get(name, ())
        words = " or ".join(f"`{_json(value)}`" for value in taken)
        how = f"refused, unless it is {words}, which changes nothing" if words else "refused"
    return f"| `{name}` | {how} |"


def _json(value):
    return str(value).replace("True", "true").replace("False", "false").replace("'", '"')


def test_the_page_lists_every_field():
    tables = []
    for route in ROUTES:
        rows = [_row(route, name) for name in fields_of(route)]
        tables.append("\n".join((f"## `/v1/{route}`", "", "| field | |", "|---|---|", *rows)))
    text = PAGE.read_text()
    head, mark, _ = text.partition("<!-- made by tests/server/openai/test_request_fields.py -->")
    expected = "\n\n".join((f"{head}{mark}", *tables)) + "\n"
    if text != expected:
        PAGE.write_text(expected)
        pytest.fail("docs/openai.md was out of date; it is written anew")


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        (
            "messages.0.content.0.type",
            lambda c, parts: c.chat.completions.create(
                model="guide", messages=[{"role": "user", "content": parts}]
            ),
        ),
        (
            "input.0.content.0.type",
            lambda c, parts: c.responses.create(
                model="guide", input=[{"role": "user", "content": parts}]
            ),
        ),
    ],
)
def test_a_part_that_is_refused_is_named_as_the_client_sent_it(client, place, asked):
    with pytest.raises(openai.BadRequestError) as refused:
        asked(client, [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}])
    assert refused.value.param == place
    assert refused.value.message.count("It is not supported") == 1
    assert "valid string" not in refused.value.message
