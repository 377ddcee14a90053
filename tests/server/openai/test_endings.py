"""Answers that are not whole: cut off, filtered and refused, told as OpenAI tells them."""

import pytest

from tests.server.openai.conftest import BEGUN, CITY, DECLINED
from tests.support.waiting import wait_until

CUT = [
    ("Please break off", "length", "max_output_tokens"),
    ("Please be filtered", "content_filter", "content_filter"),
]
AGENTS = ["guide", "counter"]
"""One whose text is told as it grows, and one whose text is told at its end."""
FIT = {"type": "json_schema", "json_schema": {"name": "town", "schema": CITY}}
RESPONSE_FIT = {"format": {"type": "json_schema", "name": "town", "schema": CITY}}


def chat(client, text, agent="guide", **options):
    asked = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=agent, messages=asked, **options)


def pieces(client, text, agent="guide", **options):
    """Return what a streamed answer says, what it refuses with, and why it ends."""
    with chat(client, text, agent, stream=True, **options) as stream:
        choices = [chunk.choices[0] for chunk in stream]
    said = "".join(one.delta.content or "" for one in choices)
    refused = "".join(one.delta.refusal or "" for one in choices)
    return said, refused, choices[-1].finish_reason


def in_background(client, **asked):
    response = client.responses.create(background=True, **asked)
    ends = {"completed", "incomplete", "failed"}
    wait_until(lambda: client.responses.retrieve(response.id).status in ends)
    return client.responses.retrieve(response.id)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("asked", "reason", "_"), CUT)
def test_a_completion_that_was_cut_says_why(client, agent, asked, reason, _):
    [choice] = chat(client, asked, agent).choices
    assert (choice.message.content, choice.finish_reason) == (BEGUN, reason)
    assert choice.message.refusal is None
    assert pieces(client, asked, agent) == (BEGUN, "", reason)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("asked", "_", "reason"), CUT)
def test_a_response_that_was_cut_is_incomplete(client, agent, asked, _, reason):
    whole = client.responses.create(model=agent, input=asked)
    with client.responses.create(model=agent, input=asked, stream=True) as stream:
        events = list(stream)
    later = in_background(client, model=agent, input=asked)
    assert events[-1].type == "response.incomplete"
    for response in (whole, events[-1].response, later, client.responses.retrieve(whole.id)):
        assert (response.status, response.incomplete_details.reason) == ("incomplete", reason)
        assert response.output_text == BEGUN
        assert response.output[-1].status == "incomplete"
    assert events[-2].item.status == "incomplete"


@pytest.mark.parametrize("agent", AGENTS)
def test_a_refused_completion_says_so_in_its_own_words(client, agent):
    [choice] = chat(client, "Please decline", agent).choices
    assert (choice.message.content, choice.message.refusal) == (None, DECLINED)
    assert choice.finish_reason == "stop"
    assert pieces(client, "Please decline", agent) == ("", DECLINED, "stop")


@pytest.mark.parametrize("agent", AGENTS)
def test_a_refused_response_says_so_in_its_own_words(client, agent):
    whole = client.responses.create(model=agent, input="Please decline")
    with client.responses.stream(model=agent, input="Please decline") as stream:
        events = list(stream)
        streamed = stream.get_final_response()
    later = in_background(client, model=agent, input="Please decline")
    for response in (whole, streamed, later):
        assert (response.status, response.output_text) == ("completed", "")
        [part] = response.output[-1].content
        assert (part.type, part.refusal) == ("refusal", DECLINED)
    kinds = [event.type for event in events if "refusal" in event.type]
    assert kinds == ["response.refusal.delta", "response.refusal.done"]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_answer_with_a_schema_may_be_refused(client, agent, model):
    asked = len(model.requests)
    [choice] = chat(client, "Please decline", agent, response_format=FIT).choices
    assert (choice.message.content, choice.message.refusal) == (None, DECLINED)
    assert len(model.requests) == asked + 1  # Nobody insists on an answer.
    assert pieces(client, "Please decline", agent, response_format=FIT)[1] == DECLINED
    response = client.responses.create(model=agent, input="Please decline", text=RESPONSE_FIT)
    assert response.output[-1].content[0].refusal == DECLINED


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("asked", "reason", "_"), CUT)
def test_an_answer_with_a_schema_may_be_cut(client, agent, asked, reason, _):
    [choice] = chat(client, asked, agent, response_format=FIT).choices
    assert (choice.message.content, choice.finish_reason) == (BEGUN, reason)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_the_clients_own_limit_cuts_an_answer(client, limit):
    [choice] = chat(client, "What is a loom?", "quoter", **{limit: 3}).choices
    assert choice.finish_reason == "length"
    said, _, reason = pieces(client, "What is a loom?", "quoter", **{limit: 3})
    assert (said, reason) == (choice.message.content, "length")


def test_the_clients_own_limit_leaves_a_response_incomplete(client):
    asked = {"model": "quoter", "input": "What is a loom?", "max_output_tokens": 3}
    for response in (client.responses.create(**asked), in_background(client, **asked)):
        assert response.status == "incomplete"
        assert response.incomplete_details.reason == "max_output_tokens"


def test_a_refusal_can_be_told_again(client):
    first = chat(client, "Please decline").choices[0].message
    said = [
        {"role": "user", "content": "Please decline"},
        first.model_dump(exclude_none=True),
        {"role": "user", "content": "Tell our history"},
    ]
    done = client.chat.completions.create(model="guide", messages=said)
    assert done.choices[0].message.content == "Seen 2."
    response = client.responses.create(model="guide", input="Please decline")
    items = [one.model_dump(exclude_none=True) for one in response.output]
    told = [
        {"role": "user", "content": "Please decline"},
        *items,
        {"role": "user", "content": "Tell our history"},
    ]
    again = client.responses.create(model="guide", input=told)
    assert again.output_text == "Seen 2."
    brought = client.responses.input_items.list(again.id, order="asc").data
    assert brought[1].content[0].refusal == DECLINED


def test_a_refusal_is_an_item_of_its_conversation_and_is_gone_on_from(client):
    response = client.responses.create(model="guide", input="Please decline")
    [_, answer] = client.conversations.items.list(response.conversation.id, order="asc").data
    assert (answer.content[0].type, answer.content[0].refusal) == ("refusal", DECLINED)
    after = client.responses.create(
        model="guide", input="Tell our history", previous_response_id=response.id
    )
    assert after.output_text == "Seen 2."


def test_a_thread_that_is_not_kept_is_forgotten_though_its_answer_was_cut(client):
    done = chat(client, "Please break off", store=False)
    named = {"metadata": {"thread_id": done.metadata["thread_id"]}}
    assert chat(client, "Tell our history", **named).choices[0].message.content == "Seen 1."
