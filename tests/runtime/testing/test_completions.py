"""``/v1/chat/completions`` through the official client."""

import json

from openai import AsyncOpenAI
from pydantic import BaseModel

from treadle.runtime.testing import (
    ScriptedOpenAI,
    broken_call,
    call,
    calls,
    cut_off,
    refuse,
    say,
)

ASK = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello?"}]}


def test_it_says_what_the_script_says(client_of):
    with ScriptedOpenAI([say("Hello there.")]) as server:
        answer = client_of(server).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello there."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-5-mini"
    assert answer.id.startswith("chatcmpl-")


async def test_an_async_client_in_an_async_test():
    with ScriptedOpenAI([say("Hello there.")]) as server:
        async with AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
            answer = await client.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello there."


async def test_an_async_stream():
    with ScriptedOpenAI([say("One two three four five.")]) as server:
        async with AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(texts) == "One two three four five."
    assert len([text for text in texts if text]) > 1


def test_parallel_calls_with_a_text(client_of, weather):
    reply = calls(call("weather", city="Paris"), call("weather", city="Rome"), text="Looking.")
    with ScriptedOpenAI([reply]) as server:
        answer = client_of(server).chat.completions.create(**ASK, tools=[weather])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content == "Looking."
    assert [json.loads(one.function.arguments) for one in message.tool_calls] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]
    assert len({one.id for one in message.tool_calls}) == 2


def test_a_call_alone_has_no_content(client_of, weather):
    with ScriptedOpenAI([call("weather", city="Paris")]) as server:
        answer = client_of(server).chat.completions.create(**ASK, tools=[weather])
    assert answer.choices[0].message.content is None


def test_calls_arrive_in_pieces_that_join_to_the_whole(client_of, weather):
    reply = calls(call("weather", city="Clermont-Ferrand"), call("weather", city="Rome"))
    with ScriptedOpenAI([reply]) as server:
        stream = client_of(server).chat.completions.create(**ASK, tools=[weather], stream=True)
        deltas = [chunk.choices[0] for chunk in stream]
    pieces = [piece for one in deltas for piece in one.delta.tool_calls or []]
    starts = [piece for piece in pieces if piece.id]
    assert [piece.function.name for piece in starts] == ["weather", "weather"]
    assert all(piece.function.arguments == "" for piece in starts)
    first = [piece.function.arguments for piece in pieces if piece.index == 0]
    assert len(first) > 3
    assert json.loads("".join(first)) == {"city": "Clermont-Ferrand"}
    assert deltas[-1].finish_reason == "tool_calls"


def test_usage_comes_last_in_a_stream_when_asked_for(client_of):
    with ScriptedOpenAI([say("Hi.")] * 2) as server:
        client = client_of(server)
        asked = client.chat.completions.create(
            **ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(asked)
        unasked = list(client.chat.completions.create(**ASK, stream=True))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert all(chunk.usage is None and chunk.choices for chunk in unasked)


def test_usage_is_counted_the_same_each_time_and_billed(client_of):
    with ScriptedOpenAI([say("Twelve bytes", reasoning="four")] * 2) as server:
        client = client_of(server)
        first, second = (client.chat.completions.create(**ASK).usage for _ in range(2))
    assert first == second
    assert first.completion_tokens == 4  # 12 bytes said and 4 thought, at four bytes a token
    assert first.completion_tokens_details.reasoning_tokens == 1
    assert server.billed.requests == 2
    assert server.billed.total_tokens == 2 * first.total_tokens


def test_usage_can_be_set(client_of):
    reply = say("Hi.").costing(
        input_tokens=1000, output_tokens=70, cached_input_tokens=900, reasoning_tokens=60
    )
    with ScriptedOpenAI([reply]) as server:
        usage = client_of(server).chat.completions.create(**ASK).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1000, 70, 1070)
    assert usage.prompt_tokens_details.cached_tokens == 900
    assert usage.completion_tokens_details.reasoning_tokens == 60
    assert (server.billed.input_tokens, server.billed.cached_input_tokens) == (1000, 900)


def test_a_refusal_is_not_a_text(client_of):
    with ScriptedOpenAI([refuse("I cannot help with that.")] * 2) as server:
        client = client_of(server)
        message = client.chat.completions.create(**ASK).choices[0].message
        stream = client.chat.completions.create(**ASK, stream=True)
        streamed = [chunk.choices[0].delta.refusal or "" for chunk in stream]
    assert (message.content, message.refusal) == (None, "I cannot help with that.")
    assert "".join(streamed) == "I cannot help with that."


def test_an_answer_cut_off_says_why(client_of):
    with ScriptedOpenAI([cut_off("Once upon"), cut_off("x", by="content_filter")]) as server:
        client = client_of(server)
        reasons = [client.chat.completions.create(**ASK).choices[0].finish_reason for _ in "ab"]
    assert reasons == ["length", "content_filter"]


def test_a_broken_call_may_be_unoffered_and_unparsable(client_of):
    with ScriptedOpenAI([broken_call("teleport", '{"to": ')]) as server:
        message = client_of(server).chat.completions.create(**ASK).choices[0].message
    assert message.tool_calls[0].function.name == "teleport"
    assert message.tool_calls[0].function.arguments == '{"to": '


def test_reasoning_travels_beside_the_text(client_of):
    with ScriptedOpenAI([say("42", reasoning="Six by seven.")]) as server:
        message = client_of(server).chat.completions.create(**ASK).choices[0].message
    assert message.model_extra["reasoning_content"] == "Six by seven."


def test_structured_output_is_taken_and_recorded(client_of):
    class City(BaseModel):
        name: str
        people: int

    with ScriptedOpenAI([say('{"name": "Paris", "people": 2100000}')]) as server:
        parsed = client_of(server).chat.completions.parse(**ASK, response_format=City)
    assert parsed.choices[0].message.parsed == City(name="Paris", people=2_100_000)
    assert server.requests[0].response_format["json_schema"]["name"] == "City"


def test_a_conversation_with_a_tool(client_of, weather):
    with ScriptedOpenAI([call("weather", city="Rome"), say("Sunny.")]) as server:
        client = client_of(server)
        messages = [{"role": "system", "content": "Be brief."}, *ASK["messages"]]
        model = ASK["model"]
        first = client.chat.completions.create(model=model, messages=messages, tools=[weather])
        asked = first.choices[0].message
        call_id = asked.tool_calls[0].id
        messages += [
            asked.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call_id, "content": "21 degrees"},
        ]
        second = client.chat.completions.create(model=model, messages=messages, tools=[weather])
    assert second.choices[0].message.content == "Sunny."
    last = server.requests[-1]
    assert last.tool_outputs == {call_id: "21 degrees"}
    assert last.tool_names == ["weather"]
    assert last.last_user_text == "Hello?"
    assert last.system_text == "Be brief."
    assert last.model == "gpt-5-mini"
    assert len(last.messages) == 4


def test_models_are_listed(client_of):
    with ScriptedOpenAI([], models=["small", "large"]) as server:
        client = client_of(server)
        assert [model.id for model in client.models.list()] == ["small", "large"]
        assert client.models.retrieve("large").id == "large"
