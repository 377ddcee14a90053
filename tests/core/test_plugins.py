"""What installed packages bring: found by name, loaded when named, and broken ones told apart."""

import sys

import pytest

from tests.support.recording import Recording
from treadle.agents import Agent
from treadle.agents.models import Models
from treadle.core.boundary import boundary
from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.settings import ModelProfile, Settings
from treadle.graphs import GraphParts, build_graph
from treadle.runtime import Runtime
from treadle.tools import Tool, ToolContext, build_tool

CODE = '''
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from treadle.graphs import GraphParts, react
from treadle.tools import Effect, ToolContext, tool


def weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: where.
    """
    return f"It is sunny in {city}."


@tool(effect=Effect.READ)
def ready() -> str:
    """Say so."""
    return "ready"


def located(context: ToolContext):
    @tool(name="located", effect=Effect.READ)
    def where() -> str:
        """Tell where the project is."""
        return str(context.project)

    return where


class Options(BaseModel, extra="forbid"):
    times: int = 1


def echo(parts: GraphParts, options: Options | None = None):
    async def say(state):
        return {"messages": [("ai", state["messages"][-1].text * options.times)]}

    graph = StateGraph(MessagesState)
    graph.add_node("say", say)
    graph.add_edge(START, "say")
    graph.add_edge("say", END)
    return graph


def model(name):
    if name == "broken":
        raise OSError("no such model")
    return 3 if name == "three" else FakeListChatModel(responses=[f"I am {name or 'plain'}."])


three = 3
'''
ENTRIES = """\
[treadle.tools]
weather = acme_kit:weather
ready = acme_kit:ready
located = acme_kit:located
three = acme_kit:three
missing = acme_kit:nothing
calculate = acme_kit:weather

[treadle.graphs]
echo = acme_kit:echo
react = acme_kit:echo
odd = acme_kit:three

[treadle.models]
acme = acme_kit:model
"""


def install(folder, name, code, entries):
    """Put a package on the path as an installer does, under that name."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "acme_kit", CODE, ENTRIES)
    broken = "[treadle.tools]\nruined = acme_ruin:x\n[treadle.graphs]\nruined = acme_ruin:x\n"
    broken += "[treadle.models]\nruined = acme_ruin:x\n"
    install(folder, "acme_ruin", "raise ImportError('its part is missing')\n", broken)
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in ("acme_kit", "acme_ruin"):
        sys.modules.pop(name, None)


@pytest.fixture
def context(tmp_path, packages):
    return ToolContext(tmp_path, Settings(), redis=None)


async def test_a_tool_of_a_package_is_named_like_a_shipped_one(context, tmp_path):
    made = build_tool("weather", context)
    assert isinstance(made, Tool)
    assert await made.ainvoke({"city": "Paris"}) == "It is sunny in Paris."
    assert build_tool("ready", context).name == "ready"
    assert await build_tool("located", context).ainvoke({}) == str(tmp_path)


def test_a_package_takes_no_shipped_name(context):
    assert "weather" not in build_tool("calculate", context).description
    graph = build_graph("react", GraphParts(Models(Settings()).resolve("embedded").chat), {},
                        context.project)  # fmt: skip
    assert "say" not in graph.nodes


def test_nothing_is_loaded_before_it_is_named(context):
    build_tool("calculate", context)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'weather'\?.*ruined"):
        build_tool("wether", context)
    assert "acme_kit" not in sys.modules
    assert "acme_ruin" not in sys.modules


def test_a_broken_package_is_named_and_stops_nothing_else(context):
    said = (
        r"the tool 'ruined' of the package acme_ruin 1.0 cannot be loaded \(acme_ruin:x\): "
        "ImportError: its part is missing"
    )
    with pytest.raises(ConfigError, match=said):
        build_tool("ruined", context)
    parts = GraphParts(Models(Settings()).resolve("embedded").chat)
    with pytest.raises(ConfigError, match="the graph 'ruined' of the package acme_ruin"):
        build_graph("ruined", parts, {}, context.project)
    with pytest.raises(ConfigError, match="the model 'ruined' of the package acme_ruin"):
        Models(Settings()).resolve("ruined")
    assert build_tool("weather", context)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("three", "the tool 'three' of the package acme_kit 1.0 is a int, not a tool"),
        ("missing", "the tool 'missing' of the package acme_kit 1.0 cannot be loaded"),
    ],
)
def test_what_is_no_tool(context, name, said):
    with pytest.raises(ConfigError, match=said):
        build_tool(name, context)


def test_two_packages_that_bring_one_name_are_both_named(context, packages):
    install(packages, "other_kit", CODE, "[treadle.tools]\nweather = other_kit:weather\n")
    with pytest.raises(ConfigError, match=r"more than one package: acme_kit 1.0, other_kit 1.0"):
        build_tool("weather", context)


async def test_a_graph_of_a_package_takes_its_options(context):
    parts = GraphParts(Models(Settings()).resolve("embedded").chat)
    graph = build_graph("echo", parts, {"times": 2}, context.project)
    state = await graph.ainvoke({"messages": [("user", "Hi")]})
    assert state["messages"][-1].text == "HiHi"
    with pytest.raises(ConfigError, match=r"option 'loud' of the graph 'echo' of the package acme"):
        build_graph("echo", parts, {"loud": 1}, context.project)
    with pytest.raises(ConfigError, match=r"'odd' of the package acme_kit 1.0 is a int, not a"):
        build_graph("odd", parts, {}, context.project)


async def test_a_model_of_a_package_goes_through_the_boundary(packages):
    profiles = {"mine": ModelProfile(model="acme:small", max_retries=0)}
    models = Models(Settings(models=profiles))
    for name, said in (("acme", "plain"), ("acme:large", "large"), ("mine", "small")):
        gate = Recording()
        with boundary(gate, thread_id="1", run_id="1"):
            answer = await models.resolve(name).chat.ainvoke("Who are you?")
        assert answer.text == f"I am {said}."
        assert [call.kind for call in gate.calls] == ["model"]
    with pytest.raises(ConfigError, match="cannot be made: OSError: no such model"):
        models.resolve("acme:broken")
    with pytest.raises(ConfigError, match="is a int, not a LangChain chat model"):
        models.resolve("acme:three")
    with pytest.raises(UnknownNameError, match="Did you mean 'acme'"):
        models.resolve("acne")


async def test_an_agent_uses_all_of_them(packages, redis_url, tmp_path):
    async with Runtime.open(redis_url, tmp_path) as runtime:
        agent = Agent(name="one", graph="echo", options={"times": 2}, tools=("weather",))
        reply = await runtime.ask(agent, "Hi")
        assert reply.text == "HiHi"
        other = Agent(name="two", model="acme:tiny")
        assert (await runtime.ask(other, "Who are you?")).text == "I am tiny."
        assert (await runtime.runs.replay(reply.run_id)).difference is None
