"""Whatever the script says arrives unchanged, whole or streamed, in both protocols."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from treadle.runtime.testing import ScriptedOpenAI, broken_call, call, calls

TEXT = st.text(min_size=1, max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(min_size=1, max_size=10), JSON, max_size=4)
TOOL = {"name": "act", "parameters": {"type": "object"}}
MESSAGES = [{"role": "user", "content": "x"}]


def in_chat(client: OpenAI) -> tuple[str, list[str]]:
    tools = [{"type": "function", "function": TOOL}]
    answer = client.chat.completions.create(model="m", messages=MESSAGES, tools=tools)
    message = answer.choices[0].message
    return message.content or "", [one.function.arguments for one in message.tool_calls]


def in_chat_streamed(client: OpenAI) -> tuple[str, list[str]]:
    tools = [{"type": "function", "function": TOOL}]
    text, arguments = "", {}
    for chunk in client.chat.completions.create(
        model="m", messages=MESSAGES, tools=tools, stream=True
    ):
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for piece in delta.tool_calls or []:
            arguments[piece.index] = arguments.get(piece.index, "") + piece.function.arguments
    return text, list(arguments.values())


def in_responses(client: OpenAI) -> tuple[str, list[str]]:
    answer = client.responses.create(model="m", input="x", tools=[{"type": "function", **TOOL}])
    made = [item.arguments for item in answer.output if item.type == "function_call"]
    return answer.output_text, made


def in_responses_streamed(client: OpenAI) -> tuple[str, list[str]]:
    text, arguments = "", {}
    for event in client.responses.create(
        model="m", input="x", tools=[{"type": "function", **TOOL}], stream=True
    ):
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.function_call_arguments.delta":
            arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
    return text, list(arguments.values())


@settings(max_examples=20, deadline=None)
@given(text=TEXT, arguments=st.lists(ARGUMENTS, min_size=1, max_size=3), odd=TEXT)
def test_every_way_of_asking_gives_the_same(text, arguments, odd):
    made = [call("act", **one) for one in arguments]
    reply = calls(*made, broken_call("act", odd), text=text)
    with (
        ScriptedOpenAI(lambda _: reply) as server,
        OpenAI(base_url=server.base_url, api_key=server.api_key) as client,
    ):
        ways = (in_chat, in_chat_streamed, in_responses, in_responses_streamed)
        answers = [ask(client) for ask in ways]
    assert all(answer == answers[0] for answer in answers)
    said, written = answers[0]
    assert said == text
    assert [json.loads(one) for one in written[:-1]] == arguments
    assert written[-1] == odd
