"""Items are put onto conversations and taken from them, and the agent sees what is left."""

import threading

import httpx
import openai
import pytest
from openai.types.conversations import Conversation, ConversationItemList

from tests.server.openai.conftest import CITY

WEATHER = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}
SEEDED = [
    {"role": "system", "content": "Be brief."},
    {"type": "message", "role": "user", "content": "My name is Ada."},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello Ada.", "annotations": []}],
    },
    {"role": "developer", "content": [{"type": "input_text", "text": "Use the metre."}]},
]
CALL = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
RETURNED = {"type": "function_call_output", "call_id": "c", "output": "o"}
ROLES = ["system", "user", "assistant", "developer"]


def ask(client, conversation, asked="Who am I?", **options):
    about = {"model": "guide", "conversation": conversation.id, **options}
    return client.responses.create(input=asked, **about)


def shown(model):
    """Return what the model was shown last, without the agent's own instructions."""
    return [
        (message["role"], message.get("content"))
        for message in model.requests[-1].messages
        if message.get("content") != "You guide."
    ]


def texts(client, conversation):
    found = client.conversations.items.list(conversation.id, order="asc")
    return [item.content[0].text for item in found if item.type == "message"]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_agent_is_shown_what_was_put_onto_a_conversation(client, server, model, at_once):
    made = client.conversations.create(items=SEEDED if at_once else [])
    if not at_once:
        added = client.conversations.items.create(made.id, items=SEEDED)
        ConversationItemList.model_validate(added.model_dump(), strict=True)
        assert [item.role for item in added.data] == ROLES
        assert (added.first_id, added.last_id) == (added.data[0].id, added.data[-1].id)
        assert not added.has_more
    listed = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.role for item in listed] == ROLES
    assert ask(client, made).output_text == "Good morning."
    told = [text for _, text in shown(model)]
    places = [
        next(at for at, text in enumerate(told) if part in text)
        for part in ("Be brief.", "My name is Ada.", "Hello Ada.", "Use the metre.", "Who am I?")
    ]
    assert places == sorted(places)
    later = client.conversations.items.create(
        made.id, items=[{"role": "user", "content": "I moved to Oslo."}]
    )
    assert texts(client, made)[4:] == ["Who am I?", "Good morning.", "I moved to Oslo."]
    ask(client, made, "And now?")
    told = [text for _, text in shown(model)]
    assert told.count("I moved to Oslo.") == 1
    assert told[-1] == "And now?"
    got = client.conversations.items.retrieve(later.data[0].id, conversation_id=made.id)
    assert got == later.data[0]
    thread = httpx.get(f"{server.url}/threads/{made.id}").json()
    assert thread["status"] == "idle"


def test_the_agent_is_shown_no_more_of_what_was_taken_away(client, model):
    made = client.conversations.create(items=SEEDED)
    ask(client, made, "First?")
    for item in list(client.conversations.items.list(made.id)):
        if item.content[0].text in {"My name is Ada.", "First?"}:
            left = client.conversations.items.delete(item.id, conversation_id=made.id)
            assert Conversation.model_validate(left.model_dump(), strict=True).id == made.id
            for again in (
                lambda: client.conversations.items.delete(item.id, conversation_id=made.id),  # noqa: B023 - called at once
                lambda: client.conversations.items.retrieve(item.id, conversation_id=made.id),  # noqa: B023 - likewise
            ):
                with pytest.raises(openai.NotFoundError):
                    again()
    assert texts(client, made) == ["Be brief.", "Hello Ada.", "Use the metre.", "Good morning."]
    ask(client, made, "Second?")
    told = [text for _, text in shown(model)]
    assert "My name is Ada." not in told
    assert "First?" not in told
    assert "Hello Ada." in told
    assert texts(client, made)[-2:] == ["Second?", "Good morning."]


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_everything_can_be_taken_away_while_it_is_listed(client, limit, order):
    made = client.conversations.create(items=SEEDED * 2)
    for item in client.conversations.items.list(made.id, limit=limit, order=order):
        client.conversations.items.delete(item.id, conversation_id=made.id)
    assert list(client.conversations.items.list(made.id)) == []
    assert ask(client, made).output_text == "Good morning."
    assert texts(client, made) == ["Who am I?", "Good morning."]


@pytest.mark.parametrize("which", ["function_call", "function_call_output"])
def test_a_call_goes_with_what_it_returned(client, model, which):
    made = client.conversations.create()
    first = ask(client, made, "the weather in both?", tools=[WEATHER])
    outputs = [
        {"type": "function_call_output", "call_id": item.call_id, "output": f"cold {at}"}
        for at, item in enumerate(first.output)
    ]
    ask(client, made, outputs, tools=[WEATHER])
    before = list(client.conversations.items.list(made.id, order="asc"))
    gone = next(item for item in before if item.type == which)
    client.conversations.items.delete(gone.id, conversation_id=made.id)
    left = list(client.conversations.items.list(made.id, order="asc"))
    of_call = {item.id for item in before if getattr(item, "call_id", "") == gone.call_id}
    assert len(of_call) == 2
    assert left == [item for item in before if item.id not in of_call]
    ask(client, made, "And now?")
    told = model.requests[-1].messages
    calls = [call["id"] for message in told for call in message.get("tool_calls") or ()]
    answers = [message["tool_call_id"] for message in told if message["role"] == "tool"]
    assert calls == answers
    assert len(calls) == 1
    other = next(item for item in left if item.type == which)
    client.conversations.items.delete(other.id, conversation_id=made.id)
    kinds = [item.type for item in client.conversations.items.list(made.id, order="asc")]
    assert kinds == ["message"] * 4
    ask(client, made, "And at last?")
    assert all(not message.get("tool_calls") for message in model.requests[-1].messages)


def test_what_was_said_beside_a_call_goes_without_it(client):
    made = client.conversations.create()
    ask(client, made, "compute!", model="counter")
    items = list(client.conversations.items.list(made.id, order="asc"))
    kinds = ["message", "message", "function_call", "function_call_output", "message"]
    assert [item.type for item in items] == kinds
    client.conversations.items.delete(items[1].id, conversation_id=made.id)
    left = list(client.conversations.items.list(made.id, order="asc"))
    assert left == [items[0], *items[2:]]


def test_a_conversation_that_a_run_uses_is_not_changed(client):
    made = client.conversations.create(items=SEEDED)
    [item, *_] = client.conversations.items.list(made.id)
    waiting = ask(client, made, "the weather?", tools=[WEATHER])
    new = [{"role": "user", "content": "Wait!"}]
    for refused in (
        lambda: client.conversations.items.create(made.id, items=new),
        lambda: client.conversations.items.delete(item.id, conversation_id=made.id),
    ):
        with pytest.raises(openai.ConflictError, match="waits for an answer"):
            refused()
    [call] = waiting.output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "cold"}
    assert "cold" in ask(client, made, [output], tools=[WEATHER]).output_text
    background = ask(client, made, "hang", background=True)
    while client.responses.retrieve(background.id).status != "in_progress":
        threading.Event().wait(0.02)
    for refused in (
        lambda: client.conversations.items.create(made.id, items=new),
        lambda: client.conversations.items.delete(item.id, conversation_id=made.id),
    ):
        with pytest.raises(openai.ConflictError, match="busy"):
            refused()
    client.responses.cancel(background.id)
    assert client.conversations.items.create(made.id, items=new).data[0].content[0].text == "Wait!"


@pytest.mark.parametrize(
    ("item", "param", "said"),
    [
        (CALL, "type", "function_call"),
        (RETURNED, "type", "function_call_output"),
        ({"type": "reasoning", "id": "r", "summary": []}, "type", "reasoning"),
        ({"type": "item_reference", "id": "msg_0"}, "type", "item_reference"),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "x"}]},
            "content",
            "text",
        ),
        ({"role": "user", "content": " "}, "content", "empty"),
        ({"role": "user", "content": []}, "content", "empty"),
        ({"role": "critic", "content": "x"}, "role", "assistant"),
        ({"role": "user", "content": "x" * 400_001}, None, "400,005"),
        ({"role": "user", "content": "x", "colour": "red"}, "colour", "not supported"),
    ],
)
def test_items_that_cannot_be_added_are_refused_by_name(client, item, param, said):
    made = client.conversations.create()
    good = {"role": "user", "content": "good"}
    for refused in (
        lambda: client.conversations.items.create(made.id, items=[good, item]),
        lambda: client.conversations.create(items=[good, item]),
    ):
        with pytest.raises(openai.BadRequestError, match=said) as caught:
            refused()
        if param is not None:
            assert caught.value.param.startswith(f"items.1.{param}")
    assert list(client.conversations.items.list(made.id)) == []


@pytest.mark.parametrize("count", [0, 21])
def test_as_many_items_as_openai_takes_are_added(client, count):
    made = client.conversations.create()
    with pytest.raises(openai.BadRequestError):
        client.conversations.items.create(made.id, items=[{"role": "user", "content": "x"}] * count)


def test_what_is_not_there_is_not_found(client):
    new = [{"role": "user", "content": "x"}]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.create("none", items=new)
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.delete("msg_0", conversation_id="none")
    made = client.conversations.create(items=new)
    for name in ("msg_1", "fc_0_00000000", "fco_0", "none"):
        with pytest.raises(openai.NotFoundError):
            client.conversations.items.delete(name, conversation_id=made.id)
    with pytest.raises(openai.NotFoundError):
        list(client.conversations.items.list(made.id, after="msg_7"))


def test_callers_who_add_and_remove_at_once_lose_nothing(client):
    made = client.conversations.create(items=[{"role": "user", "content": "old"}] * 8)
    old = [item.id for item in client.conversations.items.list(made.id)]

    def until_done(change):
        while True:
            try:
                return change()
            except openai.ConflictError:
                continue

    def add(number):
        new = [{"role": "user", "content": f"new {number}"}]
        until_done(lambda: client.conversations.items.create(made.id, items=new))

    def remove(name):
        until_done(lambda: client.conversations.items.delete(name, conversation_id=made.id))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    threads += [threading.Thread(target=remove, args=(name,)) for name in old]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(client, made)) == [f"new {number}" for number in range(8)]
