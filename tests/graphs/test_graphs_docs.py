"""docs/graphs.md says what is so: its pictures, its options and its prompts."""

import re
from itertools import pairwise

import pytest

from tests.support.rooms import ROOT
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.errors import ConfigError
from treadle.graphs import Colleague, GraphParts, build_graph, pattern_names, react, to_svg
from treadle.tools import tool

PAGE = (ROOT / "docs" / "graphs.md").read_text("utf-8")
TEAMS = {"route", "supervisor"}
PROMPTS = ROOT / "graphs" / "treadle" / "graphs" / "prompts"


@tool
def calculate() -> str:
    """Do nothing."""
    return ""


def parts_of(name):
    model = EmbeddedChatModel()
    graph = react(GraphParts(model))
    team = [Colleague(one, "", graph, graph) for one in ("finder", "writer")]
    tools = [calculate] if name == "react" else []
    return GraphParts(model, tools=tools, colleagues=team if name in TEAMS else ())


@pytest.mark.parametrize("name", pattern_names())
def test_the_picture_is_what_the_product_draws(name):
    drawn = to_svg(build_graph(name, parts_of(name), {}, ROOT))
    assert (ROOT / "docs" / "graphs" / f"{name}.svg").read_text("utf-8") == drawn, (
        f"docs/graphs/{name}.svg is out of date: draw it again with 'treadle graph'"
    )


@pytest.mark.parametrize("name", pattern_names())
def test_every_arrow_of_a_picture_has_a_direction(name):
    """It is that of the wire's end, and a line without a length has none."""
    drawn = to_svg(build_graph(name, parts_of(name), {}, ROOT))
    wires = re.findall(r'<path class="wire[^"]*" d="([^"]*)"', drawn)
    assert wires
    for wire in wires:
        heights = re.findall(r"(-?[\d.]+)(?= [A-Zc]|$)", wire)
        assert not any(one == after for one, after in pairwise(heights)), wire


@pytest.mark.parametrize("name", pattern_names())
def test_every_option_is_told(name):
    with pytest.raises(ConfigError) as caught:
        build_graph(name, parts_of(name), {"?": 1}, ROOT)
    options = re.search(r"Its options: (.*)\.$", caught.value.message)[1].split(", ")
    section = re.search(rf"\n## `{name}`\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)[1]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(told) == sorted(set(options) - {"none"})


def test_every_prompt_is_told():
    section = re.search(r"\n## Your own prompts\n(.*?)\n## ", PAGE, re.DOTALL)[1]
    told = set(re.findall(r"`(\w+)`", section))
    assert {path.stem for path in PROMPTS.glob("*.md")} - told == {"extract_facts"}
