"""``/v1/responses`` through the official client."""

import json

import pytest
from openai import AsyncOpenAI, BadRequestError
from pydantic import BaseModel

from treadle.runtime.testing import ScriptedOpenAI, call, calls, cut_off, refuse, say

ASK = {"model": "gpt-5-mini", "input": "Hello?"}


def test_it_says_what_the_script_says(client_of):
    with ScriptedOpenAI([say("Hello there.")]) as server:
        answer = client_of(server).responses.create(**ASK, instructions="Be brief.")
    assert answer.output_text == "Hello there."
    assert answer.status == "completed"
    assert answer.usage.total_tokens == server.billed.total_tokens
    assert server.requests[0].last_user_text == "Hello?"
    assert server.requests[0].system_text == "Be brief."


def test_the_events_come_in_the_real_order(client_of, flat_weather):
    reply = calls(call("weather", city="Rome"), text="Wait.", reasoning="Which city?")
    with ScriptedOpenAI([reply]) as server:
        stream = client_of(server).responses.create(**ASK, tools=[flat_weather], stream=True)
        events = list(stream)
    kinds = [event.type.removeprefix("response.") for event in events]
    order = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    assert order == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_the_clients_own_stream_helper_accumulates_it(flat_weather):
    with ScriptedOpenAI([calls(call("weather", city="Rome"), text="Wait.")]) as server:
        async with (
            AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client,
            client.responses.stream(**ASK, tools=[flat_weather]) as stream,
        ):
            finished = await stream.get_final_response()
    assert finished.output_text == "Wait."
    assert json.loads(finished.output[1].arguments) == {"city": "Rome"}


def test_reasoning_is_an_item_of_its_own(client_of):
    with ScriptedOpenAI([say("42", reasoning="Six by seven.")]) as server:
        include = ["reasoning.encrypted_content"]
        answer = client_of(server).responses.create(**ASK, include=include)
    thought, said = answer.output
    assert thought.summary[0].text == "Six by seven."
    assert thought.encrypted_content
    assert said.content[0].text == "42"
    assert answer.usage.output_tokens_details.reasoning_tokens > 0


def test_a_refusal_whole_and_streamed(client_of):
    with ScriptedOpenAI([refuse("No.")] * 2) as server:
        client = client_of(server)
        whole = client.responses.create(**ASK)
        events = list(client.responses.create(**ASK, stream=True))
    assert whole.output[0].content[0].refusal == "No."
    done = [event for event in events if event.type == "response.refusal.done"]
    assert done[0].refusal == "No."


def test_an_answer_cut_off_is_incomplete(client_of):
    with ScriptedOpenAI([cut_off("Once")] * 2) as server:
        client = client_of(server)
        answer = client.responses.create(**ASK)
        *_, last = client.responses.create(**ASK, stream=True)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert last.type == "response.incomplete"


def test_structured_output(client_of):
    class City(BaseModel):
        name: str

    with ScriptedOpenAI([say('{"name": "Paris"}')]) as server:
        parsed = client_of(server).responses.parse(**ASK, text_format=City)
    assert parsed.output_parsed == City(name="Paris")
    assert server.requests[0].response_format["type"] == "json_schema"


def test_a_conversation_continues_by_its_id(client_of, flat_weather):
    with ScriptedOpenAI([call("weather", city="Rome"), say("Sunny.")]) as server:
        client = client_of(server)
        first = client.responses.create(**ASK, tools=[flat_weather])
        call_id = first.output[0].call_id
        second = client.responses.create(
            model="gpt-5-mini",
            previous_response_id=first.id,
            input=[{"type": "function_call_output", "call_id": call_id, "output": "21"}],
        )
    assert second.output_text == "Sunny."
    assert second.previous_response_id == first.id
    assert server.requests[1].tool_outputs == {call_id: "21"}


def test_a_streamed_conversation_continues_by_its_id(client_of):
    with ScriptedOpenAI([say("One."), say("Two.")]) as server:
        client = client_of(server)
        *_, last = client.responses.create(**ASK, stream=True)
        after = client.responses.create(**ASK, previous_response_id=last.response.id)
    assert after.output_text == "Two."


def test_a_conversation_continues_by_sending_all_of_it(client_of, flat_weather):
    thinking = calls(call("weather", city="Rome"), reasoning="Look it up.")
    with ScriptedOpenAI([thinking, say("Sunny.")]) as server:
        client = client_of(server)
        first = client.responses.create(**ASK, tools=[flat_weather])
        items = [item.model_dump(exclude_none=True) for item in first.output]
        output = {
            "type": "function_call_output",
            "call_id": first.output[1].call_id,
            "output": "21",
        }
        asked = [{"role": "user", "content": "Hello?"}, *items, output]
        second = client.responses.create(model="gpt-5-mini", input=asked)
    assert second.output_text == "Sunny."


def test_a_call_without_its_reasoning_is_refused(client_of, flat_weather):
    thinking = calls(call("weather", city="Rome"), reasoning="Look it up.")
    with ScriptedOpenAI([thinking]) as server:
        client = client_of(server)
        made = client.responses.create(**ASK, tools=[flat_weather]).output[1]
        output = {"type": "function_call_output", "call_id": made.call_id, "output": "21"}
        with pytest.raises(BadRequestError, match="required 'reasoning' item: 'rs_"):
            client.responses.create(
                model="gpt-5-mini", input=[made.model_dump(exclude_none=True), output]
            )


def test_the_call_of_an_earlier_response_must_be_answered(client_of, flat_weather):
    with ScriptedOpenAI([call("weather", city="Rome")]) as server:
        client = client_of(server)
        first = client.responses.create(**ASK, tools=[flat_weather])
        with pytest.raises(BadRequestError, match="No tool output found for function call call_"):
            client.responses.create(**ASK, previous_response_id=first.id)


def test_what_was_not_stored_cannot_be_continued(client_of):
    with ScriptedOpenAI([say("One.")]) as server:
        client = client_of(server)
        first = client.responses.create(**ASK, store=False)
        with pytest.raises(BadRequestError) as refused:
            client.responses.create(**ASK, previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"
