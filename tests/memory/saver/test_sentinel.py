"""A saver on a service that Sentinels watch, whose primary dies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from tests.memory.saver.graphs import Chat, chat_graph, said, texts, thread
from tests.memory.saver.test_conformance import conforms
from tests.support.sentinel_service import SentinelService, running_service
from treadle.memory.saver import RedisSaver


@pytest.fixture
def service(short_tmp_path: Path) -> Iterator[SentinelService]:
    with running_service(short_tmp_path) as running:
        yield running


async def test_it_conforms(service: SentinelService) -> None:
    await conforms(lambda: RedisSaver.from_conn_string(service.url))


def test_a_thread_goes_on_after_a_failover(service: SentinelService) -> None:
    with RedisSaver.from_conn_string(service.url) as saver:
        graph = chat_graph(saver)
        graph.invoke(said("one"), thread())
        service.fail_over()
        live = graph.invoke(said("two"), thread())
    assert texts(live["messages"]) == ["one", "answer 1", "two", "answer 3"]
    with RedisSaver.from_conn_string(service.url) as fresh:
        assert chat_graph(fresh).get_state(thread()).values == live


async def test_a_failover_in_the_middle_of_a_turn_loses_nothing(service: SentinelService) -> None:
    def failing_over(state: Chat) -> dict[str, Any]:
        service.fail_over()
        return {"messages": [AIMessage(f"after {len(state['messages'])}")]}

    async with RedisSaver.from_conn_string(service.url) as saver:
        await chat_graph(saver).ainvoke(said("one"), thread())
        live = await chat_graph(saver, failing_over).ainvoke(said("two"), thread())
    assert texts(live["messages"]) == ["one", "answer 1", "two", "after 3"]
    async with RedisSaver.from_conn_string(service.url) as fresh:
        states = [state async for state in chat_graph(fresh).aget_state_history(thread())]
    assert states[0].values == live
    assert [len(state.values.get("messages", [])) for state in states] == [4, 3, 2, 2, 1, 0]
