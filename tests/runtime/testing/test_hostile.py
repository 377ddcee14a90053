"""No request, however odd, brings the server down: it is answered or refused."""

import ast
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle.runtime.testing as kit
from treadle.runtime.testing import ScriptedOpenAI, say

FUNCTION = {
    "name": "f",
    "description": "d",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string"}}},
        "required": ["a"],
        "additionalProperties": False,
    },
}
MADE = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": None, "tool_calls": [MADE]},
            {"role": "tool", "tool_call_id": "a", "content": "21"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": FUNCTION["parameters"], "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop": ["a"],
        "temperature": 1,
    },
    "/responses": {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "21"},
        ],
        "tools": [{"type": "function", **FUNCTION}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": FUNCTION["parameters"]}},
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "stream": True,
    },
    "/embeddings": {"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "float"},
}
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "user", "tool", "assistant", "function", "object", "array", "\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "role", "id", "content", "text"]), inner)
    ),
    max_leaves=5,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a JSON value."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, child in children:
        found.append((*path, key))
        if isinstance(child, dict | list):
            found += places(child, (*path, key))
    return found


def changed(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copy = deepcopy(body)
    node: Any = copy
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copy


@pytest.fixture(scope="module")
def http():
    with ScriptedOpenAI(lambda _: say("{}", reasoning="x")) as server:
        headers = {"authorization": f"Bearer {server.api_key}"}
        with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
            yield client


@pytest.mark.parametrize("path", BODIES)
def test_the_bodies_are_taken_as_they_are(http, path):
    assert http.post(path, json=BODIES[path]).status_code == 200


@pytest.mark.parametrize("path", BODIES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_body_with_one_odd_value_is_answered_or_refused(http, path, data):
    place = data.draw(st.sampled_from(places(BODIES[path])))
    answer = http.post(path, json=changed(BODIES[path], place, data.draw(ODD)))
    assert answer.status_code in {200, 400, 404}, answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_the_kit_needs_only_the_standard_library_until_it_replays_runs():
    folder = Path(str(kit.__file__)).parent
    for file in set(folder.glob("*.py")) - {folder / "_recorded.py"}:
        allowed = sys.stdlib_module_names | ({"pytest"} if file.stem == "plugin" else set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith("treadle.runtime.testing")
                assert own or name.split(".")[0] in allowed, f"{file.name} imports {name}"
