"""The bound of a request: never below what a provider counts."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI

from treadle.core.calls import Call, CallKind, Effect, Outcome, Position
from treadle.core.usage import Usage
from treadle.runtime.budget._bound import InputBounds

# Text as conversations hold it, and as nobody would write it: controls, quotes, emoji, surrogates.
TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(TEXT, VALUE, max_size=3)
CALLS = st.lists(
    st.builds(
        lambda name, args, id_: {"name": name, "args": args, "id": id_, "type": "tool_call"},
        TEXT,
        ARGUMENTS,
        TEXT,
    ),
    max_size=3,
)
PARTS = st.lists(TEXT.map(lambda text: {"type": "text", "text": text}), max_size=3)
MESSAGES = st.lists(
    st.builds(HumanMessage, TEXT | PARTS)
    | st.builds(SystemMessage, TEXT)
    | st.builds(lambda text, calls: AIMessage(text, tool_calls=calls), TEXT, CALLS)
    | st.builds(lambda text, id_: ToolMessage(text, tool_call_id=id_), TEXT, TEXT),
    min_size=1,
    max_size=6,
)
TOOLS = st.lists(
    st.builds(
        lambda name, about, schema: {
            "type": "function",
            "function": {"name": name, "description": about, "parameters": schema},
        },
        TEXT,
        TEXT,
        ARGUMENTS,
    ),
    max_size=3,
)
MODEL = ChatOpenAI(model="gpt-5-mini", api_key="none")
PLACE = Position("t", "r", "", "", 0, 0, 0)


def call_of(messages, ordinal=0, **options):
    place = Position("t", "r", "", "", 0, 0, ordinal)
    request = {"messages": messages, "options": options}
    return Call(place, CallKind.MODEL, "openai:gpt-5-mini", Effect.READ, request)


def counted(messages, tools=()):
    """Return the dearest count there could be: each byte of what is sent is a token."""
    sent = MODEL._get_request_payload(messages, tools=list(tools))
    parts = [*sent["messages"], *sent.get("tools", ())]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in map(_texts, parts))


def _texts(value):
    if isinstance(value, dict):
        return "".join(str(key) + _texts(inner) for key, inner in value.items())
    if isinstance(value, list):
        return "".join(map(_texts, value))
    return "" if value is None else str(value)


def many_calls(count):
    calls = [{"name": "", "args": {}, "id": "", "type": "tool_call"}] * count
    return [AIMessage("", tool_calls=calls)]


@given(MESSAGES, TOOLS)
@example(many_calls(200), [])
@settings(max_examples=200, deadline=None)
def test_a_tokenizer_that_makes_every_byte_a_token_is_within(messages, tools):
    bound = InputBounds().of(call_of(messages, tools=tools))
    assert bound.tokens >= counted(messages, tools)


@given(MESSAGES, MESSAGES, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_what_the_provider_counted_before_makes_the_bound_smaller_and_keeps_it(old, new, share):
    bounds = InputBounds()
    first = call_of(old)
    whole = bounds.of(first).tokens
    # A provider that needs fewer tokens for a message needs as few for it the next time.
    count = int(counted(old) * share)
    told = AIMessage("", usage_metadata=_usage(count))
    bounds.learn(first, Outcome(told, usage=Usage(model_calls=1, input_tokens=count)))
    second = bounds.of(call_of([*old, *new], 1)).tokens
    alone = InputBounds().of(call_of([*old, *new])).tokens
    assert count + counted(new) <= second <= alone
    assert whole >= count


def _usage(count):
    return {"input_tokens": count, "output_tokens": 0, "total_tokens": count}


def test_another_model_s_or_other_tools_count_proves_nothing():
    bounds, messages = InputBounds(), [HumanMessage("x" * 4_000)]
    first = call_of(messages)
    bounds.of(first)
    told = AIMessage("", usage_metadata=_usage(1_000))
    bounds.learn(first, Outcome(told, usage=Usage(model_calls=1, input_tokens=1_000)))
    assert bounds.of(call_of(messages, 1, tool_choice="none")).tokens < 1_200
    tool = {"type": "function", "function": {"name": "x"}}
    assert bounds.of(call_of(messages, 2, tools=[tool])).tokens > 4_000


@pytest.mark.parametrize(
    ("message", "options", "why"),
    [
        (HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}]), {}, "'image_url'"),
        (HumanMessage([{"type": "file", "file_id": "x"}]), {}, "'file'"),
        (AIMessage([{"type": "reasoning", "id": "rs_1"}]), {}, "'reasoning'"),
        (AIMessage("", additional_kwargs={"audio": {"id": "x"}}), {}, "sound"),
        (HumanMessage("x"), {"previous_response_id": "x"}, "'previous_response_id'"),
        (HumanMessage("x"), {"tools": [{"type": "web_search"}]}, "'web_search'"),
    ],
)
def test_what_cannot_be_counted_is_said(message, options, why):
    bound = InputBounds().of(call_of([message], **options))
    assert bound.tokens is None
    assert why in bound.why


def test_the_schema_of_an_answer_is_counted():
    schema = {"type": "json_schema", "json_schema": {"schema": {"x": "y" * 5_000}}}
    bound = InputBounds().of(call_of([HumanMessage("x")], response_format=schema))
    assert bound.tokens > len(json.dumps(schema))
