"""Conversations of OpenAI's client are threads."""

import httpx
import openai
import pytest
from openai.types.conversations import Conversation, ConversationItemList

from tests.server.openai.conftest import CITY

WEATHER = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}


def say(client, conversation, asked, **options):
    about = {"model": "guide", "conversation": conversation.id, **options}
    return client.responses.create(input=asked, **about)


def test_a_conversation_is_begun_noted_about_and_forgotten(client, server):
    made = client.conversations.create(metadata={"topic": "looms"})
    raw = httpx.get(f"{server.url}/v1/conversations/{made.id}").json()
    assert Conversation.model_validate(raw, strict=True).metadata == {"topic": "looms"}
    changed = client.conversations.update(made.id, metadata={"mood": "calm"})
    assert changed.metadata == {"topic": "looms", "mood": "calm"}
    assert httpx.get(f"{server.url}/threads/{made.id}").json()["metadata"] == changed.metadata
    answered = say(client, made, "Hello?")
    assert client.conversations.delete(made.id).deleted
    for gone in (
        lambda: client.conversations.retrieve(made.id),
        lambda: client.conversations.delete(made.id),
        lambda: client.conversations.items.list(made.id),
        lambda: client.responses.retrieve(answered.id),
    ):
        with pytest.raises(openai.NotFoundError):
            gone()


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_what_was_said_is_listed_in_pages(client, server, limit, order):
    made = client.conversations.create()
    assert list(client.conversations.items.list(made.id)) == []
    first = say(client, made, "the weather in both?", tools=[WEATHER])
    outputs = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "cold"}
        for item in first.output
        if item.type == "function_call"
    ]
    say(client, made, outputs, tools=[WEATHER])
    path = f"{server.url}/v1/conversations/{made.id}/items?order=asc"
    whole = ConversationItemList.model_validate(httpx.get(path).json(), strict=True).data
    kinds = ["message", *["function_call"] * 2, *["function_call_output"] * 2, "message"]
    assert [item.type for item in whole] == kinds
    assert whole[-1].content[0].text == "It is cold and cold."
    paged = list(client.conversations.items.list(made.id, limit=limit, order=order))
    assert paged == (whole if order == "asc" else whole[::-1])
    for item in whole:
        assert client.conversations.items.retrieve(item.id, conversation_id=made.id) == item
    for name in ("msg_99", "msg_0_1", "none"):
        with pytest.raises(openai.NotFoundError):
            client.conversations.items.retrieve(name, conversation_id=made.id)


def test_a_conversation_that_is_not_there_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve("none")
    with pytest.raises(openai.NotFoundError):
        client.conversations.update("none", metadata={"a": "b"})
