"""A real server process, a scripted model behind it, and OpenAI's own client in front."""

import json

import pytest

from tests.support.scripted_server import client, serving_scripted
from treadle.runtime.testing import (
    ScriptedOpenAI,
    call,
    calls,
    cut_off,
    fail,
    hang,
    refuse,
    say,
    server_error,
)

__all__ = ["client"]
FOREIGN = """
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import START, MessagesState, StateGraph


def think(state: MessagesState):
    model = FakeListChatModel(responses=["Mine."])
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_edge(START, "think")
"""
WORDLESS = """
from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    ticks: int


graph = StateGraph(State)
graph.add_node("tick", lambda state: {"ticks": state["ticks"] + 1})
graph.add_edge(START, "tick")
"""
CAREFUL = 'tools: [calculate]\npolicy:\n  - tool: "*"\n    then: ask\n'
LONG = " ".join(f"Word{number}" for number in range(200)) + "."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def answer(request):
    """Answer as the last question says."""
    asked = request.last_user_text
    return next((reply(request) for word, reply in SCRIPT.items() if word in asked), GREETING)


def _weather(request):
    if results := request.tool_outputs:
        return say(f"It is {' and '.join(results.values())}.")
    cities = ["Paris", "Rome"] if "both" in request.last_user_text else ["Paris"]
    return calls(*(call("get_weather", city=city) for city in cities))


def _compute(request):
    if request.tool_outputs:
        return say("The result is 42.")
    return calls(call("calculate", expression="6*7"), text="Let me see.")


def _seen(request):
    return say(f"Seen {len([m for m in request.messages if m.get('role') == 'user'])}.")


def _refused(request):
    """Fail as the question says in JSON behind its first words."""
    return fail(**json.loads(request.last_user_text.partition(" says ")[2]))


def _structured(request):
    found = json.dumps({"city": "Paris"})
    return call("answer", city="Paris") if "answer" in request.tool_names else say(found)


GREETING = say("Good morning.")
DECLINED = "I cannot help with that."
BEGUN = "Once upon a time"
SCRIPT = {
    "decline": lambda _: refuse(DECLINED),
    "break off": lambda _: cut_off(BEGUN),
    "be filtered": lambda _: cut_off(BEGUN, by="content_filter"),
    "provider says": _refused,
    "json": _structured,
    "fail": lambda _: server_error(),
    "hang": lambda _: hang(),
    "long": lambda _: say(LONG),
    "weather": _weather,
    "compute": _compute,
    "instructions": lambda request: say(f"Told: {request.system_text}"),
    "history": _seen,
}


@pytest.fixture(scope="module")
def model():
    with ScriptedOpenAI(answer, verify=False) as model:
        yield model


@pytest.fixture(scope="module")
def server(model, redis_6_2, tmp_path_factory):
    project = tmp_path_factory.mktemp("project")
    (project / "agents").mkdir()
    (project / "agents" / "guide.yaml").write_text("prompt: You guide.\n")
    (project / "agents" / "counter.yaml").write_text("tools: [calculate]\n")
    (project / "agents" / "quoter.yaml").write_text("model: embedded\n")
    (project / "agents" / "brief.yaml").write_text("budget: {output_tokens: 90}\n")
    (project / "agents" / "stranger.yaml").write_text("graph: own.py:graph\n")
    (project / "own.py").write_text(FOREIGN)
    (project / "agents" / "clock.yaml").write_text("graph: clock.py:graph\n")
    (project / "clock.py").write_text(WORDLESS)
    (project / "agents" / "careful.yaml").write_text(CAREFUL)
    with serving_scripted(project, redis_6_2.url, model) as served:
        yield served
