"""What is read belongs to the reader: nothing done to it is seen by another, or stored."""

from typing import Any

import pytest
import redis
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call

from tests.memory.saver.graphs import chat_graph, thread
from treadle.memory.saver import RedisSaver

MESSAGES = [
    HumanMessage("Look.", id="1"),
    AIMessage(
        "",
        id="2",
        tool_calls=[{"name": "look", "args": {"at": ["a", 1]}, "id": "c", "type": "tool_call"}],
        response_metadata={"model_name": "m", "usage": {"total": 3}},
    ),
    ToolMessage("seen", id="3", tool_call_id="c", artifact={"n": 1.0}),
    AIMessage("Done.", id="4"),
]
BROKEN_CALL = invalid_tool_call(name="look", args="{", id="d", error="cut short")


def read(saver: RedisSaver) -> list[AnyMessage]:
    found = saver.get_tuple(thread())
    assert found is not None
    messages: list[AnyMessage] = found.checkpoint["channel_values"]["messages"]
    return messages


@pytest.fixture
def reader(client: redis.Redis, saver: RedisSaver) -> RedisSaver:
    chat_graph(saver, lambda _: {"messages": []}).invoke({"messages": MESSAGES}, thread())
    reader = RedisSaver(client)
    read(reader)  # from Redis; what comes next is copied from what the client remembers
    return reader


def described(messages: list[AnyMessage]) -> list[tuple[Any, ...]]:
    return [(type(m), m.model_dump(), m.model_extra, m.model_fields_set) for m in messages]


def test_a_copy_is_what_a_client_that_sees_the_thread_first_would_read(
    client: redis.Redis, reader: RedisSaver
) -> None:
    assert described(read(reader)) == described(read(RedisSaver(client)))
    assert read(reader) == MESSAGES


def change_field(message: AnyMessage) -> None:
    message.content = "spoilt"


def add_field(message: AnyMessage) -> None:
    message.spoilt = True  # type: ignore[union-attr]


def fill(message: AnyMessage) -> None:
    message.additional_kwargs["spoilt"] = True


def set_field_names(message: AnyMessage) -> None:
    message.model_fields_set.clear()


def reach_inside(message: AnyMessage) -> None:
    if isinstance(message, AIMessage):
        message.invalid_tool_calls.append(BROKEN_CALL.copy())
        for call in message.tool_calls:
            call["args"]["at"].append("spoilt")
        message.response_metadata.setdefault("usage", {})["total"] = 4


@pytest.mark.parametrize("spoil", [change_field, add_field, fill, set_field_names, reach_inside])
def test_what_a_reader_does_to_a_message_is_its_own(reader: RedisSaver, spoil: Any) -> None:
    before = described(read(reader))
    for message in read(reader):
        spoil(message)
    assert described(read(reader)) == before


@pytest.mark.parametrize("spoil", [change_field, add_field, fill, reach_inside])
def test_a_message_shares_no_value_with_the_others_of_its_list(
    reader: RedisSaver, spoil: Any
) -> None:
    messages = read(reader)
    spoil(messages[1])
    untouched = [messages[0], *messages[2:]]
    assert untouched == [MESSAGES[0], *MESSAGES[2:]]
    assert messages[1] != MESSAGES[1]


@pytest.mark.parametrize("spoil", [change_field, add_field, fill, reach_inside])
def test_what_a_graph_does_to_a_message_in_place_is_stored(
    client: redis.Redis, reader: RedisSaver, spoil: Any
) -> None:
    def step(state: Any) -> Any:
        spoil(state["messages"][1])
        return {"messages": [HumanMessage("more", id="5")]}

    live = chat_graph(reader, step).invoke({"messages": []}, thread())
    assert live["messages"][1] != MESSAGES[1]
    assert read(reader) == read(RedisSaver(client)) == live["messages"]
