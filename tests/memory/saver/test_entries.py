"""The messages of a thread told by where they are: always as a reader of the thread would tell."""

import asyncio

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage

from tests.memory.saver.graphs import chat_graph, said, thread
from treadle.core.json_text import as_json
from treadle.memory.saver import RecordError, RedisSaver

MESSAGES: list[AnyMessage] = [
    HumanMessage([{"type": "text", "text": "Look ✓"}], id="1", additional_kwargs={"n": 1.0}),
    AIMessage(
        "",
        id="2",
        tool_calls=[{"name": "look", "args": {"at": ["a", 1]}, "id": "c", "type": "tool_call"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    ),
    ToolMessage("seen", id="3", tool_call_id="c", artifact={"n": True}),
    AIMessage("Done.", id="4"),
]


def silent(_: object) -> dict[str, list[AnyMessage]]:
    return {"messages": []}


def run(saver: RedisSaver, messages: list[AnyMessage], thread_id: str = "t") -> list[AnyMessage]:
    state = chat_graph(saver, silent).invoke({"messages": messages}, thread(thread_id))
    left: list[AnyMessage] = state["messages"]
    return left


async def test_what_is_told_is_the_json_of_the_messages(
    client: redis.Redis, saver: RedisSaver
) -> None:
    left = run(saver, MESSAGES)
    place = saver.entries.reference("t", "messages", left)
    assert place is not None
    told = await saver.entries.texts("t", place)
    assert b"[" + b",".join(told) + b"]" == as_json(left)
    assert await RedisSaver(client).entries.texts("t", place) == told


async def test_what_the_client_remembers_is_told_without_asking_redis(
    client: redis.Redis, saver: RedisSaver
) -> None:
    place = saver.entries.reference("t", "messages", run(saver, MESSAGES))
    assert place is not None
    told = await saver.entries.texts("t", place)
    client.flushall()
    assert await saver.entries.texts("t", place) == told
    with pytest.raises(RecordError, match="is gone"):
        await RedisSaver(client).entries.texts("t", place)


def test_messages_changed_in_place_are_not_taken_for_those_in_the_log(saver: RedisSaver) -> None:
    left = run(saver, MESSAGES)
    known = saver.entries.recognised("t", left)
    assert None not in known
    left[1].tool_calls[0]["args"]["at"].append(2)  # type: ignore[union-attr]
    left[2].artifact["n"] = 1  # type: ignore[union-attr]
    assert saver.entries.reference("t", "messages", left) is None
    assert saver.entries.recognised("t", left) == [known[0], None, None, known[3]]


@pytest.mark.parametrize("count", [0, 3, 5])
def test_only_the_whole_of_a_channel_has_a_place(saver: RedisSaver, count: int) -> None:
    left = run(saver, MESSAGES)
    assert saver.entries.reference("t", "messages", [*left, *left][:count]) is None
    assert saver.entries.reference("t", "others", left) is None
    assert saver.entries.reference("other", "messages", left) is None


async def test_a_thread_made_again_under_its_id_is_not_taken_for_the_one_that_was(
    client: redis.Redis, saver: RedisSaver
) -> None:
    place = saver.entries.reference("t", "messages", run(saver, MESSAGES))
    assert place is not None
    elsewhere = RedisSaver(client)
    elsewhere.delete_thread("t")
    again = run(elsewhere, [HumanMessage("another", id="1")])
    with pytest.raises(RecordError, match="is gone"):
        await elsewhere.entries.texts("t", place)
    assert saver.entries.recognised("t", again) == [None]
    assert saver.entries.reference("t", "messages", again) is None
    [there] = saver.get_tuple(thread()).checkpoint["channel_values"]["messages"]  # type: ignore[union-attr]
    assert there == again[0]
    assert saver.entries.recognised("t", again) != [None]


async def test_what_was_pruned_away_is_said_to_be_gone(
    client: redis.Redis, saver: RedisSaver
) -> None:
    place = saver.entries.reference("t", "messages", run(saver, MESSAGES))
    assert place is not None
    elsewhere = RedisSaver(client)
    run(elsewhere, [RemoveMessage(id="2"), HumanMessage("more", id="5")])  # type: ignore[list-item]
    elsewhere.prune(["t"])
    with pytest.raises(RecordError):
        await RedisSaver(client).entries.texts("t", place)


@pytest.mark.parametrize("place", ["", "x", "x 5", "x 3:1", "x 0:y", "x 0:99999999999"])
async def test_a_forged_place_is_refused(saver: RedisSaver, place: str) -> None:
    run(saver, MESSAGES)
    with pytest.raises(RecordError):
        await saver.entries.texts("t", place)


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=5), st.booleans()), max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_after_any_edits_by_two_clients_a_place_tells_the_state(
    client: redis.Redis, edits: list[tuple[int, str, bool]]
) -> None:
    client.flushall()
    savers = RedisSaver(client), RedisSaver(client)
    run(savers[0], [HumanMessage(f"{n}", id=f"{n}") for n in range(4)])
    for number, text, is_second in edits:
        saver = savers[is_second]
        left = run(saver, [HumanMessage(text, id=f"{number}")])
        place = saver.entries.reference("t", "messages", left)
        assert place is not None
        told = asyncio.run(saver.entries.texts("t", place))
        assert told == [as_json(message) for message in left]


def test_an_input_of_plain_texts_has_no_place(saver: RedisSaver) -> None:
    graph = chat_graph(saver, silent)
    state = graph.invoke(said("a"), thread())
    assert saver.entries.reference("t", "messages", ["a"]) is None
    assert saver.entries.recognised("t", ["a", 1, state]) == [None, None, None]
