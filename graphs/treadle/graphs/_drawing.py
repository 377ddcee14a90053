"""Drawing graphs, without network and without other programs."""

import re
from collections.abc import Iterator
from itertools import count

from treadle.graphs._parts import Graph
from treadle.graphs._picture import Link, Picture, Shape, picture
from treadle.graphs._svg import svg

_MERMAID_WORDS = {
    "call", "class", "classdef", "click", "default", "direction", "end", "flowchart",
    "graph", "href", "interpolate", "linkstyle", "style", "subgraph",
}  # fmt: skip


def to_svg(graph: Graph) -> str:
    """Return a picture of the graph as a self-contained SVG document.

    Choices are dashed; a graph inside a node is drawn inside it. The picture follows the reader's
    light or dark colour scheme. Equal graphs give equal text.
    """
    return svg(picture(graph))


def to_mermaid(graph: Graph) -> str:
    """Return the graph as the text of a Mermaid flowchart.

    Choices are dashed; a graph inside a node is a subgraph. Equal graphs give equal text.
    """
    return "\n".join(["graph TD", *_mermaid(picture(graph), "    ", set())]) + "\n"


def _mermaid(drawn: Picture, indent: str, used: set[str]) -> Iterator[str]:
    ids = [_mermaid_id(shape, used) for shape in drawn.shapes]
    for shape, name in zip(drawn.shapes, ids, strict=True):
        if shape.inside:
            yield f"{indent}subgraph {name}[{_quoted(shape.title)}]"
            yield from _mermaid(shape.inside, indent + "    ", used)
            yield f"{indent}end"
        elif shape.kind == "node":
            yield f"{indent}{name}({_quoted(shape.title, *shape.notes)})"
        else:
            yield f"{indent}{name}([{shape.title}])"
    for link in drawn.links:
        yield f"{indent}{ids[link.source]} {_arrow(link)} {ids[link.target]}"


def _mermaid_id(shape: Shape, used: set[str]) -> str:
    """Return an id that Mermaid takes for a plain one, as close to the name as can be."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", shape.path).strip("_") or "node"
    if plain.lower() in _MERMAID_WORDS:
        plain += "_"
    for number in count(1):
        name = plain if number == 1 else f"{plain}_{number}"
        if name not in used:
            break
    used.add(name)
    return name


def _arrow(link: Link) -> str:
    line = "-.->" if link.conditional else "-->"
    return f"{line}|{_quoted(link.label)}|" if link.label else line


def _quoted(*lines: str) -> str:
    escaped = [re.sub(r"[^\w .,:;!?/+=()-]", lambda m: f"#{ord(m[0])};", line) for line in lines]
    return '"' + "<br/>".join(escaped) + '"'
