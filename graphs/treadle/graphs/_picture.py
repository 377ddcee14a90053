"""What there is to draw of a graph: its nodes, the nodes inside those, and the edges."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.constants import END, START
from langgraph.pregel import Pregel

from treadle.graphs._parts import Graph

_HOOK = re.compile(r"(.+?)(?:Middleware)?\.(before|after)_(agent|model)")
_BIDI_CONTROLS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Shape:
    """A node.

    Attributes:
        path: the names of the graphs around it and its own, joined by ``:``.
        kind: what it is.
        title: what to call it.
        notes: what else to say about it, a line each.
        inside: the graph it runs, where it runs one.
    """

    path: str
    kind: Literal["start", "end", "node"]
    title: str
    notes: tuple[str, ...] = ()
    inside: "Picture | None" = None


@dataclass(frozen=True)
class Link:
    """An edge between two shapes, given by their positions; dashed when it is a choice."""

    source: int
    target: int
    label: str
    conditional: bool


@dataclass(frozen=True)
class Picture:
    """The nodes and edges of one graph; its start comes first and its end last."""

    shapes: tuple[Shape, ...]
    links: tuple[Link, ...]


def picture(graph: Graph) -> Picture:
    """Return what there is to draw of a graph and of those its nodes run.

    Graphs that run elsewhere are one node: looking into them would need the network.
    """
    return _picture(graph, "", (graph,))


def _picture(graph: Pregel[Any, Any, Any, Any], prefix: str, around: tuple[object, ...]) -> Picture:
    drawable = graph.get_graph()
    insides = {
        name: _picture(inner, f"{prefix}{name}:", (*around, inner))
        for name, inner in graph.get_subgraphs()
        # A node may reach the graph it is part of; without bounds the picture would not end.
        if isinstance(inner, Pregel)
        and len(around) < _MAX_DEPTH
        and not any(inner is outer for outer in around)
    }
    names = sorted(drawable.nodes, key=lambda name: (name != START) + (name == END))
    shapes = [
        _shape(prefix, name, drawable.nodes[name].metadata or {}, insides.get(name))
        for name in names
    ]
    position = {name: index for index, name in enumerate(names)}
    links = [
        Link(
            position[edge.source],
            position[edge.target],
            "" if edge.data is None else clean(str(edge.data)),
            edge.conditional,
        )
        for edge in drawable.edges
    ]
    links.sort(key=lambda link: (link.source, link.target))
    return Picture(tuple(shapes), tuple(links))


def _shape(prefix: str, name: str, metadata: Mapping[str, Any], inside: Picture | None) -> Shape:
    path = clean(prefix + name)
    if name == START:
        return Shape(path, "start", "start")
    if name == END:
        return Shape(path, "end", "end")
    notes = [clean(str(tool)) for tool in metadata.get("__tools") or ()]
    hook = _HOOK.fullmatch(name)
    if hook:
        notes.append(f"{hook[2]} {hook[3]}")
    if "__interrupt" in metadata:
        when = str(metadata["__interrupt"]).replace(",", " and ")
        notes.append(f"pauses {when}")
    title = clean(hook[1] if hook else name) or "(blank)"
    return Shape(path, "node", title, tuple(notes), inside)


def clean(text: str) -> str:
    """Return the text on one line, without characters that XML or a reader cannot take."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(char) in {"Cs", "Cn", "Co"} or char in _BIDI_CONTROLS
        else " "
        if unicodedata.category(char) == "Cc"
        else char
        for char in text
    )
    return " ".join(shown.split())
