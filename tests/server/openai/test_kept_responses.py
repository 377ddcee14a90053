"""Responses that are read again, followed, stopped and removed, by OpenAI's own client."""

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseItemList
from openai.types.responses.response_stream_event import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.server.openai.conftest import CITY
from tests.support.waiting import wait_until

EVENT = TypeAdapter(ResponseStreamEvent)
WEATHER = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}


def respond(client, asked, **options):
    return client.responses.create(**{"model": "guide", "input": asked, **options})


def raw(server, path):
    answer = httpx.get(f"{server.url}/v1/responses/{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def events_of(server, path):
    """Return the events of a response as they are sent, each of a type that OpenAI's client has."""
    told = [part for part in raw(server, path).text.split("\n\n") if part and part[0] != ":"]
    for part in told:
        EVENT.validate_json(part.partition("data: ")[2], strict=True)
    return told


def ended(client, response_id):
    def over():
        found = client.responses.retrieve(response_id)
        return None if found.status in {"queued", "in_progress"} else found

    return wait_until(over, within_seconds=60, what=f"{response_id} is over")


@pytest.mark.parametrize("asked", ["Hello?", "Please compute", "Tell me the weather"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_read_again_as_it_was_answered(client, server, asked, stream):
    model = "counter" if "compute" in asked else "guide"
    options = {"tools": [WEATHER]} if "weather" in asked else {}
    if stream:
        with respond(client, asked, model=model, stream=True, **options) as told:
            first = list(told)[-1].response
    else:
        first = respond(client, asked, model=model, **options)
    again = raw(server, first.id).json()
    assert Response.model_validate(again, strict=True).to_dict() == first.to_dict()


def test_a_stream_is_told_again_from_any_event_on(client, server):
    told = client.responses.with_raw_response.create(
        model="guide", input="A long story", stream=True
    )
    sent = [part for part in told.http_response.read().decode().split("\n\n") if part]
    run_id = told.headers["x-run-id"]
    whole = events_of(server, f"resp_{run_id}?stream=true")
    assert whole == sent
    assert len(whole) > 10
    for at in range(0, len(whole), 3):
        path = f"resp_{run_id}?stream=true&starting_after={at}"
        assert events_of(server, path) == whole[at + 1 :]
    with client.responses.retrieve(f"resp_{run_id}", stream=True, starting_after=4) as stream:
        assert [event.sequence_number for event in stream] == list(range(5, len(whole)))


@pytest.mark.parametrize(
    ("agent", "asked", "options"),
    [
        ("guide", "Hello?", {}),
        ("counter", "Please compute", {}),
        ("guide", "Tell me the weather", {"tools": [WEATHER]}),
        ("guide", "What are your instructions?", {"instructions": "Be brief."}),
    ],
)
def test_a_background_response_is_what_a_client_that_waits_is_answered(
    client, server, agent, asked, options
):
    begun = respond(client, asked, model=agent, background=True, **options)
    assert begun.status == "queued"
    assert begun.background
    done = ended(client, begun.id)
    waited = respond(client, asked, model=agent, **options)
    assert done.status == waited.status == "completed"
    assert done.output_text == waited.output_text
    assert [item.type for item in done.output] == [item.type for item in waited.output]
    assert done.usage.total_tokens == waited.usage.total_tokens
    Response.model_validate(raw(server, begun.id).json(), strict=True)


def test_a_background_stream_is_followed_and_told_again(client, server):
    with respond(client, "Please compute", model="counter", background=True, stream=True) as told:
        events = list(told)
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    again = [
        EVENT.validate_json(part.partition("data: ")[2])
        for part in events_of(server, f"{events[0].response.id}?stream=true")
    ]
    assert [e.to_dict() for e in again] == [e.to_dict() for e in events]


def test_tools_are_handed_over_from_the_background_and_their_results_taken(client, server):
    first = ended(client, respond(client, "weather?", tools=[WEATHER], background=True).id)
    [call] = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "cold"}
    options = {"tools": [WEATHER], "previous_response_id": first.id}
    with pytest.raises(openai.BadRequestError, match="background"):
        respond(client, [result], background=True, **options)
    second = respond(client, [result], **options)
    assert second.output_text == "It is cold."
    assert second.id != first.id
    assert client.responses.retrieve(second.id).output_text == "It is cold."
    assert client.responses.retrieve(first.id).output_text == ""
    with pytest.raises(openai.BadRequestError, match=second.id):
        respond(client, "And then?", previous_response_id=first.id)


def test_a_background_response_is_cancelled(client, server):
    begun = respond(client, "Please hang", background=True)
    wait_until(
        lambda: client.responses.retrieve(begun.id).status == "in_progress",
        within_seconds=30,
        what="it is made",
    )
    with pytest.raises(openai.ConflictError, match="Cancel it"):
        client.responses.delete(begun.id)
    assert client.responses.cancel(begun.id).status == "cancelled"
    assert client.responses.cancel(begun.id).status == "cancelled"
    told = events_of(server, f"{begun.id}?stream=true")
    assert '"status": "cancelled"' in told[-1]


def test_only_what_is_made_in_the_background_is_cancelled(client):
    with pytest.raises(openai.ConflictError, match="not made in the background"):
        client.responses.cancel(respond(client, "Hello?").id)


def test_a_background_response_that_fails_says_why(client, server):
    done = ended(client, respond(client, "Please fail", background=True).id)
    assert done.status == "failed"
    assert done.error.code == "server_error"
    assert done.error.message
    events_of(server, f"{done.id}?stream=true")


def test_what_a_response_was_told_is_listed_in_pages(client, server):
    said = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
        {"role": "assistant", "content": "Good day."},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "nothing"},
        {"role": "user", "content": "And now?"},
    ]
    done = respond(client, said)
    path = f"{done.id}/input_items?order=asc"
    items = ResponseItemList.model_validate(raw(server, path).json(), strict=True).data
    kinds = [item.type for item in items]
    assert kinds == ["message"] * 3 + ["function_call", "function_call_output", "message"]
    pages = client.responses.input_items.list(done.id, limit=2)
    assert [item.id for item in pages] == [item.id for item in reversed(items)]
    with pytest.raises(openai.NotFoundError):
        client.responses.input_items.list(done.id, after="msg_none")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.input_items.list(done.id, limit=1_000)
    assert caught.value.param == "limit"


def test_a_response_is_deleted_and_with_it_a_conversation_of_its_own(client, server):
    alone = respond(client, "Hello?")
    client.responses.delete(alone.id)
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            ask(alone.id)
    thread = alone.conversation.id
    assert httpx.get(f"{server.url}/threads/{thread}").status_code == 404
    first = respond(client, "Hello?")
    second = respond(client, "Hello?", previous_response_id=first.id)
    client.responses.delete(second.id)
    assert client.responses.retrieve(first.id).output_text == "Good morning."


@pytest.mark.parametrize("name", ["resp_none", "none", "resp_", "resp_1_2", "x" * 200])
def test_a_response_that_is_not_there_is_not_found(client, name):
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(name)


def test_what_is_not_to_be_stored_is_not_found(client):
    for asked in ({}, {"conversation": "stays"}):
        done = respond(client, "Hello?", store=False, **asked)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(done.id)
    with pytest.raises(openai.BadRequestError, match="store"):
        respond(client, "Hello?", store=False, background=True)


def test_what_is_not_told_is_refused_by_name(client):
    done = respond(client, "Hello?")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.retrieve(done.id, include=["reasoning.encrypted_content"])
    assert caught.value.param == "include[]"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.retrieve(done.id, starting_after=3)
    assert caught.value.param == "starting_after"
