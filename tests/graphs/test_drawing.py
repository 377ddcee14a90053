"""Pictures of graphs: complete, readable, safe, and the same every time."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, TodoListMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteGraph

from treadle.graphs import Graph, GraphParts, chain_of_thought, react
from treadle.graphs._drawing import to_mermaid, to_svg
from treadle.graphs._layers import Box, Wire
from treadle.graphs._layout import arrange
from treadle.graphs._picture import Link, Picture, Shape
from treadle.graphs._svg import svg
from treadle.graphs._text import text_width, wrapped

SVG = "{http://www.w3.org/2000/svg}"
MODEL = GenericFakeChatModel(messages=iter([]))
HOSTILE = [
    "%%{init: {}}%%",  # a colon cannot be in a node's name, but can be in a label
    "click me href 'javascript:alert(1)'",
    "</text><script>alert(1)</script>",
    "a & b &amp; \"c\" 'd' <e/>",
    "]]><![CDATA[",
    "line\nbreak\ttab\x00\x1b[31m",
    "\u202eright to left\u2066",
    "end",
    "subgraph",
    "x" * 300,
    "日本語のとても長い名前のノードです" * 5,
    "👩‍👩‍👧‍👦 family",
    " ",
    "#quot; `code` **bold**",
]


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def graph_of(
    edges: Iterable[tuple[str, str]],
    choices: Mapping[str, Mapping[str, str]] | None = None,
    inside: Mapping[str, Any] | None = None,
    **compile_options: Any,
) -> Graph:
    """Make a graph of its edges; a node of its own runs where ``inside`` names none."""
    builder = StateGraph(MessagesState)
    choices = choices or {}
    names = [name for edge in edges for name in edge]
    names += [name for source, ways in choices.items() for name in (source, *ways.values())]
    for name in dict.fromkeys(names):
        if name not in {START, END}:
            builder.add_node(name, (inside or {}).get(name, lambda state: {}))
    for source, target in edges:
        builder.add_edge(source, target)
    for source, ways in choices.items():
        builder.add_conditional_edges(source, lambda state: "", dict(ways))
    return builder.compile(**compile_options)


def supervisor() -> Graph:
    ways = {"find facts": "researcher", "write": "writer", "check": "critic", "done": END}
    back = [(name, "supervisor") for name in ("researcher", "writer", "critic")]
    return graph_of([(START, "supervisor"), *back], {"supervisor": ways})


def loops() -> Graph:
    return graph_of(
        [(START, "plan"), ("plan", "write"), ("write", "review")],
        {
            "review": {"again from the start": "plan", "small changes": "write", "fine": "publish"},
            "publish": {"failed": "publish", "ok": END},
        },
    )


def parallel() -> Graph:
    sources = [f"source {number}" for number in range(5)]
    out = [("plan", name) for name in sources]
    back = [(name, "merge") for name in sources]
    return graph_of([(START, "plan"), *out, *back, ("merge", END)])


def thirty() -> Graph:
    steps = [f"step_{number}" for number in range(30)]
    tree = [(steps[number // 3], steps[number]) for number in range(1, 30)]
    across = [(steps[number], steps[number + 7]) for number in range(2, 22, 5)]
    return graph_of([(START, steps[0]), *tree, *across], {steps[29]: {"retry": steps[1]}})


def wide() -> Graph:
    workers = [f"worker_{number}" for number in range(40)]
    out = [("split", name) for name in workers]
    return graph_of([(START, "split"), *out, *[(name, "join") for name in workers]])


def middleware() -> Graph:
    hooks = [TodoListMiddleware(), ModelCallLimitMiddleware(run_limit=3)]
    return create_agent(MODEL, [look_up], middleware=hooks)


def nested() -> Graph:
    inner = graph_of(
        [(START, "reason"), ("reason", END)], inside={"reason": chain_of_thought(GraphParts(MODEL))}
    )
    ways = {"not yet": "find", "enough": END}
    return graph_of(
        [(START, "find"), ("find", "deep"), ("deep", "decide")],
        {"decide": ways},
        {"find": react(GraphParts(MODEL, tools=[look_up])), "deep": inner},
    )


def hostile() -> Graph:
    names = [name for name in HOSTILE if ":" not in name and "|" not in name]
    steps = list(zip([START, *names], [*names, END], strict=True))
    return graph_of(steps, {names[0]: dict(zip(HOSTILE, names[2:], strict=False))})


GRAPHS: dict[str, Callable[[], Graph]] = {
    "react": lambda: react(GraphParts(MODEL, tools=[look_up])),
    "chain_of_thought": lambda: chain_of_thought(GraphParts(MODEL)),
    "one": lambda: graph_of([(START, "only"), ("only", END)]),
    "supervisor": supervisor,
    "loops": loops,
    "parallel": parallel,
    "thirty": thirty,
    "wide": wide,
    "middleware": middleware,
    "nested": nested,
    "hostile": hostile,
}


@dataclass(frozen=True)
class Rect:
    """A rectangle of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Rect") -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: "Rect") -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def crossed_by(self, line: Iterable[tuple[float, float]]) -> bool:
        core = Rect(self.left + 1, self.top + 1, self.right - 1, self.bottom - 1)
        return any(core.overlaps(Rect(x, y, x, y)) for x, y in line)

    def has_on_border(self, x: float, y: float) -> bool:
        inside = (
            self.left - 0.2 <= x <= self.right + 0.2 and self.top - 0.2 <= y <= self.bottom + 0.2
        )
        sides = (x - self.left, x - self.right, y - self.top, y - self.bottom)
        return inside and min(abs(side) for side in sides) < 0.2


class Drawn:
    """A picture, read back from its SVG."""

    def __init__(self, text: str) -> None:
        self.root = ET.fromstring(text)
        self.nodes = {
            group.attrib["data-node"]: _rect(group.find(f"{SVG}rect"))
            for group in self.root.iter(f"{SVG}g")
        }
        self.groups = {
            group.attrib["data-node"]
            for group in self.root.iter(f"{SVG}g")
            if group.find(f"{SVG}g") is not None
        }
        self.wires = [path for path in self.root.iter(f"{SVG}path") if "data-from" in path.attrib]
        self.labels = [
            _rect(rect)
            for parent in self.root.iter()
            for rect in parent.findall(f"{SVG}rect")
            if rect.attrib["class"] == "paper" and "x" in rect.attrib
        ]
        self.page = Rect(0, 0, float(self.root.attrib["width"]), float(self.root.attrib["height"]))

    def ends(self) -> list[tuple[str, str]]:
        return [(wire.attrib["data-from"], wire.attrib["data-to"]) for wire in self.wires]

    def texts(self) -> list[str]:
        return [text.text or "" for text in self.root.iter(f"{SVG}text")]


def _rect(element: ET.Element | None) -> Rect:
    assert element is not None
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return Rect(x, y, x + width, y + height)


def points(path: str, steps: int = 24) -> list[tuple[float, float]]:
    """Return points along a wire's path: M, V and C, and the small c of a loop."""
    found: list[tuple[float, float]] = []
    for command, rest in re.findall(r"([MVCc])([^MVCc]*)", path):
        numbers = [float(number) for number in rest.split()]
        if command == "M":
            found.append((numbers[0], numbers[1]))
            continue
        x, y = found[-1]
        if command == "V":
            found += [(x, y + (numbers[0] - y) * n / steps) for n in range(1, steps + 1)]
            continue
        base = (x, y) if command == "c" else (0.0, 0.0)
        a, b, c = [(base[0] + numbers[n], base[1] + numbers[n + 1]) for n in (0, 2, 4)]
        found += [_bezier((x, y), a, b, c, n / steps) for n in range(1, steps + 1)]
    return found


def _bezier(*args: Any) -> tuple[float, float]:
    *corners, t = args
    shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(s * p[axis] for s, p in zip(shares, corners, strict=True)) for axis in (0, 1))
    return x, y


def check_geometry(drawn: Drawn) -> None:
    """Check what must hold in any picture: nothing overlaps, wires meet their boxes only."""
    for rect in (*drawn.nodes.values(), *drawn.labels):
        assert drawn.page.holds(rect)
    for (one, box), (other, other_box) in combinations(drawn.nodes.items(), 2):
        if one in drawn.groups and other.startswith(f"{one}:"):
            assert box.holds(other_box), (one, other)
        elif not (other in drawn.groups and one.startswith(f"{other}:")):
            assert not box.overlaps(other_box), (one, other)
    for label in drawn.labels:
        assert not any(
            label.overlaps(box) for name, box in drawn.nodes.items() if name not in drawn.groups
        )
    for one_label, other_label in combinations(drawn.labels, 2):
        assert not one_label.overlaps(other_label)
    for wire in drawn.wires:
        check_wire(wire, drawn)


def check_wire(wire: ET.Element, drawn: Drawn) -> None:
    source, target = wire.attrib["data-from"], wire.attrib["data-to"]
    line = points(wire.attrib["d"])
    assert drawn.nodes[source].has_on_border(*line[0]), source
    assert drawn.nodes[target].has_on_border(*line[-1]), target
    for name, box in drawn.nodes.items():
        around = name in drawn.groups and source.startswith(f"{name}:")
        assert around or not box.crossed_by(line), f"{source} → {target} crosses {name}"
    own = 1  # A wire runs through its own label, and through no other.
    assert sum(label.crossed_by(line) for label in drawn.labels) <= own


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps_and_wires_meet_only_their_own_boxes(name: str) -> None:
    check_geometry(Drawn(to_svg(GRAPHS[name]())))


@pytest.mark.parametrize("name", [name for name in GRAPHS if name not in {"nested", "hostile"}])
def test_every_node_and_edge_is_drawn(name: str) -> None:
    graph = GRAPHS[name]()
    drawable, drawn = graph.get_graph(), Drawn(to_svg(graph))
    assert set(drawn.nodes) == set(drawable.nodes)
    assert sorted(drawn.ends()) == sorted((edge.source, edge.target) for edge in drawable.edges)
    dashed = {ends for ends, wire in zip(drawn.ends(), drawn.wires, strict=True)
              if "choice" in wire.attrib["class"].split()}  # fmt: skip
    assert dashed == {(e.source, e.target) for e in drawable.edges if e.conditional}


@pytest.mark.parametrize("name", GRAPHS)
def test_equal_graphs_give_equal_text(name: str) -> None:
    assert to_svg(GRAPHS[name]()) == to_svg(GRAPHS[name]())
    assert to_mermaid(GRAPHS[name]()) == to_mermaid(GRAPHS[name]())


def test_labels_of_choices_are_shown() -> None:
    texts = Drawn(to_svg(supervisor())).texts()
    assert {"find facts", "write", "check", "done"} <= set(texts)


def test_start_is_above_everything_it_leads_to() -> None:
    drawn = Drawn(to_svg(loops()))
    start = drawn.nodes["__start__"]
    assert all(start.bottom < box.top for name, box in drawn.nodes.items() if name != "__start__")
    assert {"start", "end"} <= set(drawn.texts())


def test_tools_hooks_and_pauses_are_named_for_readers() -> None:
    texts = Drawn(to_svg(middleware())).texts()
    assert {"look_up", "TodoList", "after model", "ModelCallLimit", "before model"} <= set(texts)
    waits = graph_of([(START, "ask"), ("ask", END)], interrupt_before=["ask"])
    assert "pauses before" in Drawn(to_svg(waits)).texts()


def test_a_graph_inside_a_node_is_drawn_inside_it() -> None:
    drawn = Drawn(to_svg(nested()))
    assert drawn.groups == {"find", "deep", "deep:reason"}
    assert {"find:tools", "deep:reason:think"} <= set(drawn.nodes)
    assert ("find", "deep") in drawn.ends()
    assert ("deep:reason:think", "deep:reason:answer") in drawn.ends()


def test_a_graph_that_runs_itself_is_drawn_once() -> None:
    holder: dict[str, Graph] = {}
    builder = StateGraph(MessagesState)
    builder.add_node("again", lambda state: {})
    builder.add_edge(START, "again")
    holder["graph"] = graph = builder.compile()
    graph.nodes["again"].subgraphs = [graph]
    assert set(Drawn(to_svg(graph)).nodes) == {"__start__", "again", "__end__"}


def test_a_graph_that_runs_elsewhere_is_one_node_and_is_not_asked() -> None:
    remote = RemoteGraph("far", url="http://127.0.0.1:9")
    graph = graph_of([(START, "far"), ("far", END)], inside={"far": remote})
    assert set(Drawn(to_svg(graph)).nodes) == {"__start__", "far", "__end__"}


def test_hostile_names_stay_text() -> None:
    text = to_svg(hostile())
    drawn = Drawn(text)
    tags = {element.tag.removeprefix(SVG) for element in drawn.root.iter()}
    assert tags == {"svg", "style", "defs", "marker", "path", "rect", "g", "title", "text"}
    attributes = {name for element in drawn.root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in attributes)
    assert "\x00" not in text
    assert "\u202e" not in text


def test_hostile_names_stay_labels_in_mermaid() -> None:
    lines = to_mermaid(hostile()).splitlines()
    arrow = r'(-->|-\.->)(\|"[^"|<>]*"\|)?'
    node = r'\w+(\("[^"<>`]+"\)|\(\[(start|end)\]\))'
    for line in lines[1:]:
        assert re.fullmatch(rf" +({node}|\w+ {arrow} \w+)", line), line
    ids = [re.match(r" +(\w+)[([]", line) for line in lines]
    names = [match[1] for match in ids if match]
    assert len(names) == len(set(names))
    assert not {"end", "subgraph", "graph"} & set(names)


def test_mermaid_shows_subgraphs_choices_and_labels() -> None:
    text = to_mermaid(nested())
    assert text.startswith("graph TD\n")
    assert '    subgraph deep["deep"]\n        deep_start([start])' in text
    assert '    decide -.->|"not yet"| find\n' in text
    assert "    find --> deep\n" in text


LETTERS = st.text(st.characters(), max_size=40)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    count = draw(st.integers(1, 14))
    shapes = [Shape(f"n{n}", "node", draw(LETTERS).replace("\r", "")) for n in range(count)]
    shapes = [
        Shape(s.path, s.kind, re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", s.title))
        for s in shapes
    ]
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=30, unique=True))
    labels = st.sampled_from(["", "", "yes", "a rather long label of a choice that was made"])
    links = [Link(a, b, draw(labels), draw(st.booleans())) for a, b in sorted(pairs)]
    return Picture(tuple(shapes), tuple(links))


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_any_picture_keeps_its_boxes_apart_and_its_wires_clear(picture: Picture) -> None:
    drawn = Drawn(svg(picture))
    assert len(drawn.nodes) == len(picture.shapes)
    assert len(drawn.wires) == len(picture.links)
    check_geometry(drawn)


def test_a_thousand_boxes_in_a_row_are_placed() -> None:
    boxes = [Box(80, 40)] * 1_000
    layout = arrange(boxes, [Wire(n, n + 1) for n in range(999)])
    assert layout.height > 1_000 * 40


@settings(max_examples=100, deadline=None)
@given(LETTERS, st.integers(1, 4))
def test_wrapped_lines_stay_within_their_limit(text: str, max_lines: int) -> None:
    lines = wrapped(text, 14, 60, max_lines)
    assert len(lines) <= max_lines
    assert all(text_width(line, 14) <= 60 for line in lines)
    if not lines or not lines[-1].endswith("…"):
        assert "".join("".join(lines).split()) == "".join(text.split())
