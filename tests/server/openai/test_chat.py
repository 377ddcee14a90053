"""Chat completions, by OpenAI's own client."""

import json
import re

import httpx
import openai
import pytest
from openai import OpenAI

from tests.server.openai.conftest import CITY, LONG

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}


def ask(client, text, **options):
    options = {"model": "guide", **options}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **options)


def test_agents_are_models(client):
    names = {model.id for model in client.models.list()}
    assert {"guide", "counter", "assistant"} <= names
    assert client.models.retrieve("guide").owned_by == "treadle"
    with pytest.raises(openai.NotFoundError, match="gide"):
        client.models.retrieve("gide")


def test_an_answer_with_its_cost(client):
    done = ask(client, "Hello?")
    [choice] = done.choices
    assert choice.message.content == "Good morning."
    assert choice.finish_reason == "stop"
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0


def test_a_stream_says_the_same_in_pieces(client):
    with ask(
        client, "Tell a long story", stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(texts) == LONG
    assert len(texts) > 10
    assert chunks[-1].usage.completion_tokens > 0
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len({c.id for c in chunks}) == 1


def test_what_the_server_does_is_told_as_reasoning_and_never_as_a_call(client):
    done = ask(client, "Please compute", model="counter")
    message = done.choices[0].message
    assert message.content == "The result is 42."
    assert message.tool_calls is None
    assert "calculate(expression='6*7')" in message.reasoning_content
    assert "42" in message.reasoning_content
    with ask(client, "Please compute", model="counter", stream=True) as stream:
        deltas = [c.choices[0].delta for c in stream]
    assert "".join(d.content or "" for d in deltas) == "The result is 42."
    reasoning = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
    assert "calculate(expression='6*7')" in reasoning
    assert not any(d.tool_calls for d in deltas)


@pytest.mark.parametrize("which", ["the weather", "both weather"])
def test_tools_of_the_client_are_handed_over_and_their_results_taken(client, which):
    messages = [{"role": "user", "content": f"Tell me {which}"}]
    create = client.chat.completions.create
    first = create(model="guide", messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    calls = first.choices[0].message.tool_calls
    cities = [json.loads(call.function.arguments)["city"] for call in calls]
    assert sorted(cities) == (["Paris", "Rome"] if "both" in which else ["Paris"])
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    for call, city in zip(calls, cities, strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"fine in {city}"})
    second = create(model="guide", messages=messages, tools=[WEATHER])
    assert all(f"fine in {city}" in second.choices[0].message.content for city in cities)
    # The run that waited went on: it is the same one, on the same thread.
    assert second.id == first.id
    assert second.metadata == first.metadata


def test_tools_of_the_client_in_a_stream(client):
    with ask(client, "Tell me the weather", tools=[WEATHER], stream=True) as stream:
        chunks = list(stream)
    [call] = [d for c in chunks for d in c.choices[0].delta.tool_calls or ()]
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_results_of_a_run_that_is_gone_are_taken_from_the_conversation(client):
    call = {
        "id": "call_x",
        "type": "function",
        "function": {"name": "get_weather", "arguments": "{}"},
    }
    messages = [
        {"role": "user", "content": "Tell me the weather"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_x", "content": "cold"},
    ]
    done = client.chat.completions.create(model="guide", messages=messages, tools=[WEATHER])
    assert done.choices[0].message.content == "It is cold."


@pytest.mark.parametrize("place", ["metadata", "header"])
def test_a_named_thread_is_gone_on_with(client, place):
    thread = f"thread named by {place}"
    named = {"metadata": {"thread_id": thread}}
    if place == "header":
        named = {"extra_headers": {"X-Thread-Id": thread}}
    assert ask(client, "Hello?", **named).metadata["thread_id"] == thread
    said = [
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Good morning."},
        {"role": "user", "content": "Tell our history"},
    ]
    done = client.chat.completions.create(model="guide", messages=said, **named)
    assert done.choices[0].message.content == "Seen 2."


def test_without_a_thread_the_conversation_is_what_the_client_tells(client):
    said = [
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Good morning."},
        {"role": "user", "content": "Tell our history"},
    ]
    done = client.chat.completions.create(model="guide", messages=said)
    assert done.choices[0].message.content == "Seen 2."


def chatted(client):
    return ask(client, "Hello?", store=False).metadata["thread_id"]


def streamed(client):
    said = [{"role": "user", "content": "Hello?"}]
    with client.chat.completions.create(
        model="guide", messages=said, store=False, stream=True
    ) as stream:
        return list(stream)[-1].metadata["thread_id"]


def responded(client):
    asking = client.responses.with_raw_response
    answer = asking.create(model="guide", input="Hello?", store=False)
    return answer.headers["x-thread-id"]


@pytest.mark.parametrize("asked", [chatted, streamed, responded])
def test_what_is_not_to_be_stored_is_forgotten(client, server, asked):
    thread = asked(client)
    assert httpx.get(f"{server.url}/threads/{thread}/state").status_code == 404
    assert thread not in httpx.post(f"{server.url}/threads/search", json={"limit": 1000}).text


def test_instructions_of_the_client_follow_the_agents_own(client):
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What are your instructions?"}]},
    ]
    done = client.chat.completions.create(model="guide", messages=said)
    told = done.choices[0].message.content
    assert told.index("You guide.") < told.index("Be brief.")


def test_an_answer_that_fits_a_schema(client):
    schema = {"name": "place", "schema": CITY, "strict": True}
    chosen = {"type": "json_schema", "json_schema": schema}
    done = ask(client, "Give me json", response_format=chosen)
    assert json.loads(done.choices[0].message.content) == {"city": "Paris"}
    with ask(client, "Give me json", response_format=chosen, stream=True) as stream:
        text = "".join(c.choices[0].delta.content or "" for c in stream)
    assert json.loads(text) == {"city": "Paris"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"extra_body": {"colour": "red"}}, "colour"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client, options, named):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "Hello?", **options)
    assert caught.value.body["type"] == "invalid_request_error"
    assert caught.value.body["param"] == named
    assert named in caught.value.body["message"]


def test_what_would_change_nothing_may_be_asked_for(client):
    done = ask(client, "Hello?", n=1, stop=[], seed=None, logit_bias={})
    assert done.choices[0].message.content == "Good morning."


@pytest.mark.parametrize(
    ("name", "said"), [("gide", "Did you mean 'guide'"), ("clock", "no 'messages'")]
)
@pytest.mark.parametrize(
    "asked",
    [
        lambda c, name: c.models.retrieve(name),
        lambda c, name: ask(c, "Hello?", model=name),
        lambda c, name: ask(c, "Hello?", model=name, stream=True),
        lambda c, name: c.responses.create(model=name, input="Hello?"),
        lambda c, name: c.responses.create(model=name, input="Hello?", background=True),
    ],
)
def test_a_model_that_there_is_not_is_not_found(client, asked, name, said):
    with pytest.raises(openai.NotFoundError, match=said) as caught:
        asked(client, name)
    error = caught.value
    assert (error.type, error.param) == ("invalid_request_error", "model")
    assert error.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_fails_is_told_and_not_repeated(server, model, stream):
    with OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=2) as client:
        asked = len(model.requests)
        with pytest.raises(openai.APIError) as caught:
            list(ask(client, "Please fail", stream=stream))
        assert caught.value.code == "run_failed"
        assert len(model.requests) == asked + 1
    assert re.search(
        r"INFO treadle\.runs: The run \w+ of 'guide' failed, attempt 1: .*\(500\)",
        server.log.read_text(),
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_run(client, server, model, stream):
    thread = f"left-{stream}"
    named = {"metadata": {"thread_id": thread}, "timeout": 1.0}
    if stream:
        with ask(client, "Please hang", stream=True, **named) as opened:
            next(iter(opened))
    else:
        with pytest.raises(openai.APITimeoutError):
            ask(client, "Please hang", **named)
    # The thread is free again: whoever asks next is answered.
    done = ask(client, "Hello?", metadata={"thread_id": thread})
    assert done.choices[0].message.content == "Good morning."


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"model": 1}', b"\xff", b'"x"'])
def test_what_cannot_be_read_is_told_as_openai_tells_it(server, content):
    answer = httpx.post(f"{server.url}/v1/chat/completions", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_no_messages_of_a_person_are_refused(client):
    for messages in (
        [{"role": "assistant", "content": "Hi"}],
        [{"role": "system", "content": "x"}],
    ):
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="guide", messages=messages)


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (["system"], "nobody says anything"),
        (["system", "developer"], "nobody says anything"),
        (["user", "assistant"], "the last message is the model's own"),
        (["user", "assistant", "system"], "the last message is the model's own"),
    ],
)
def test_what_asks_nothing_is_refused_with_the_reason(client, roles, why):
    said = [{"role": role, "content": "Hello."} for role in roles]
    with pytest.raises(openai.BadRequestError, match=why):
        client.chat.completions.create(model="guide", messages=said)
    with pytest.raises(openai.BadRequestError, match=why):
        client.responses.create(model="guide", input=said)
