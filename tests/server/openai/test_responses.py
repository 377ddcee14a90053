"""Responses, by OpenAI's own client."""

import json

import openai
import pytest
from openai.types.responses import Response

from tests.server.openai.conftest import CITY, LONG

WEATHER = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}


def respond(client, asked, **options):
    return client.responses.create(**{"model": "guide", "input": asked, **options})


def test_a_response_with_its_cost(client):
    done = respond(client, "Hello?")
    assert done.output_text == "Good morning."
    assert done.status == "completed"
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0


def test_a_stream_tells_each_item_and_ends_with_the_whole(client):
    with client.responses.stream(model="counter", input="Please compute") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert final.output_text == "The result is 42."
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert "calculate(expression='6*7')" in final.output[0].content[0].text


def test_text_is_told_as_it_grows(client):
    with respond(client, "Tell a long story", stream=True) as stream:
        events = list(stream)
    pieces = [e.delta for e in events if e.type == "response.output_text.delta"]
    assert "".join(pieces) == LONG
    assert len(pieces) > 10


def test_a_conversation_goes_on_from_its_last_response(client):
    first = respond(client, "Hello?")
    second = respond(client, "Tell our history", previous_response_id=first.id)
    assert second.output_text == "Seen 2."
    assert second.conversation.id == first.conversation.id
    with pytest.raises(openai.BadRequestError, match=second.id):
        respond(client, "Again", previous_response_id=first.id)
    third = respond(client, "Tell our history", conversation=first.conversation.id)
    assert third.output_text == "Seen 3."
    with pytest.raises(openai.NotFoundError):
        respond(client, "Hello?", previous_response_id="resp_none")


def test_tools_of_the_client_are_handed_over_and_their_results_taken(client):
    first = respond(client, "Tell me the weather", tools=[WEATHER])
    [call] = [item for item in first.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"city": "Paris"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "cold"}
    options = {"tools": [WEATHER], "previous_response_id": first.id}
    second = client.responses.create(model="guide", input=[result], **options)
    assert second.output_text == "It is cold."


def test_the_whole_conversation_may_be_told_again(client):
    said = [{"role": "user", "content": "Tell me the weather"}]
    first = client.responses.create(model="guide", input=said, tools=[WEATHER])
    [call] = [item for item in first.output if item.type == "function_call"]
    said += [item.model_dump(exclude_none=True) for item in first.output]
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": "warm"})
    second = client.responses.create(model="guide", input=said, tools=[WEATHER])
    assert second.output_text == "It is warm."


def test_an_answer_that_fits_a_schema(client):
    chosen = {"format": {"type": "json_schema", "name": "place", "schema": CITY}}
    assert json.loads(respond(client, "Give me json", text=chosen).output_text) == {"city": "Paris"}


def test_instructions_follow_the_agents_own(client):
    told = respond(client, "What are your instructions?", instructions="Be brief.").output_text
    assert told.index("You guide.") < told.index("Be brief.")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"reasoning": {"summary": "auto"}}, "reasoning"),
        ({"text": {"verbosity": "utmost"}}, "text"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"truncation": "auto"}, "truncation"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client, options, named):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, "Hello?", **options)
    assert caught.value.body["param"].startswith(named)


def test_a_run_that_fails_is_told(client):
    with pytest.raises(openai.InternalServerError) as caught:
        respond(client, "Please fail")
    assert caught.value.code == "run_failed"
    with respond(client, "Please fail", stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.failed"
    assert isinstance(last.response, Response)
