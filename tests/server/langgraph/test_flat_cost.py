"""A run over HTTP costs Redis the same however long its thread is: only the answer grows."""

import statistics

import pytest
from langgraph_sdk import get_client

from tests.server.langgraph.app import make_project, running
from treadle.memory import connect

ECHO = """
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph

echo = lambda state: {"messages": [AIMessage(state["messages"][-1].text)]}
graph = StateGraph(MessagesState).add_node("echo", echo).set_entry_point("echo").compile()
"""
TURNS, TEXT = 60, "x" * 500
BYTES = ("total_net_input_bytes", "total_net_output_bytes")


@pytest.fixture
async def served(redis_url, tmp_path):
    project = make_project(tmp_path)
    (project / "echoing.py").write_text(ECHO)
    (project / "agents" / "echo.yaml").write_text("description: E.\ngraph: echoing.py:graph\n")
    async with running(redis_url, project) as served:
        yield served


async def test_what_goes_to_redis_and_comes_from_it_stays_flat(served, redis_url):
    costs = []
    async with get_client(url=served[0]) as client, connect(redis_url) as redis:
        thread = (await client.threads.create())["thread_id"]
        for number in range(TURNS):
            before = await redis.info("stats")
            said = {"messages": [{"role": "user", "content": f"{number} {TEXT}"}]}
            answer = await client.runs.wait(thread, "echo", input=said)
            after = await redis.info("stats")
            costs.append([after[name] - before[name] for name in BYTES])
        state = await client.threads.get_state(thread)
    assert answer == state["values"]
    texts = [message["content"] for message in answer["messages"]]
    assert texts == [f"{number} {TEXT}" for number in range(TURNS) for _ in range(2)]
    # Now and then a worker looks for work meanwhile: the medians are compared.
    for early, late in zip(
        zip(*costs[2:12], strict=True), zip(*costs[-10:], strict=True), strict=True
    ):
        assert statistics.median(late) <= 1.1 * statistics.median(early) + 200
