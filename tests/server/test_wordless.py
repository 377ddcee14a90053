"""A graph to which nothing can be said: it is run by LangGraph's clients alone."""

import uuid

import pytest

COUNTER = """
from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    ticks: int


graph = StateGraph(State)
graph.add_node("tick", lambda state: {"ticks": state["ticks"] + 1})
graph.add_edge(START, "tick")
"""
SAID = {"id": "1", "role": "user", "content": "Hello!"}
PAGE = {"threadId": uuid.uuid4().hex, "runId": uuid.uuid4().hex, "messages": [SAID]}
PAGE |= {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
SENT = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "Hello!"}]}}


@pytest.fixture
def wordless(project):
    (project / "clock.py").write_text(COUNTER)
    (project / "agents" / "clock.yaml").write_text("graph: clock.py:graph\n")
    return project


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("/agui/clock", PAGE),
        ("/a2a/clock/message:send", SENT),
        ("/a2a/clock/.well-known/agent-card.json", None),
    ],
)
async def test_it_is_no_agent_of_protocols_that_talk(wordless, local_app, place, body):
    async with local_app(wordless) as client:
        headers = {"A2A-Version": "1.0"}
        method = "GET" if body is None else "POST"
        refused = await client.request(method, place, json=body, headers=headers)
        assert refused.status_code == 404
        assert "No agent is named 'clock'" in refused.text
        assert "no 'messages'" in refused.text
        assert not (await client.post("/threads/search", json={})).json()
