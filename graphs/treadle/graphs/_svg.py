"""Pictures of graphs as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from treadle.graphs._layers import Box, Wire
from treadle.graphs._layout import Layout, Stop, arrange
from treadle.graphs._picture import Picture, Shape
from treadle.graphs._text import widest, wrapped

_TITLE, _NOTE = 14.0, 11.5  # font sizes, as in the style below
_TITLE_LINE, _NOTE_LINE = 18.0, 15.0
_MAX_LINE = 200.0
_MAX_TITLE_LINES, _MAX_NOTE_LINES, _MAX_LABEL_LINES = 3, 4, 2
_PAD_X, _PAD_Y = 16.0, 10.0
_PORT = 14.0  # room for one wire at the side of a box
_GROUP_PAD, _GROUP_TITLE = 20.0, 34.0
_MARGIN = 20.0

_STYLE = """
.treadle-graph { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial,
  sans-serif; font-size: 14px; text-anchor: middle; }
.treadle-graph .paper { fill: #ffffff; }
.treadle-graph .node { fill: #f1f4fb; stroke: #7d93c8; stroke-width: 1.3; }
.treadle-graph .start { fill: #e4f3ea; stroke: #5fa37f; stroke-width: 1.3; }
.treadle-graph .end { fill: #eeeef1; stroke: #8d8f9b; stroke-width: 1.3; }
.treadle-graph .group { fill: #7d93c8; fill-opacity: 0.08; stroke: #7d93c8; }
.treadle-graph .wire { fill: none; stroke: #6d7280; stroke-width: 1.4; }
.treadle-graph .choice { stroke-dasharray: 5 4; }
.treadle-graph .head { fill: #6d7280; }
.treadle-graph text { fill: #1f2430; }
.treadle-graph .note, .treadle-graph .label { fill: #5b6170; font-size: 11.5px; }
.treadle-graph .heading { fill: #44507a; font-weight: 600; text-anchor: start; }
@media (prefers-color-scheme: dark) {
.treadle-graph .paper { fill: #14161b; }
.treadle-graph .node { fill: #20273a; stroke: #6f86c0; }
.treadle-graph .start { fill: #1c3027; }
.treadle-graph .end { fill: #2a2b31; }
.treadle-graph .wire { stroke: #9aa0ae; }
.treadle-graph .head { fill: #9aa0ae; }
.treadle-graph text { fill: #e6e8ee; }
.treadle-graph .note, .treadle-graph .label { fill: #a7adbb; }
.treadle-graph .heading { fill: #a9b8e4; }
}
"""
_HEAD = (
    '<defs><marker id="treadle-head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8"'
    ' markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
    '<path class="head" d="M0 0.5 L8 4 L0 7.5 Z"/></marker></defs>'
)


@dataclass(frozen=True)
class _Drawing:
    """A picture whose parts have their sizes and places."""

    picture: Picture
    layout: Layout
    boxes: Sequence[Box]
    labels: Sequence[Sequence[str]]
    insides: "Sequence[_Drawing | None]"


def svg(drawn: Picture) -> str:
    """Return the picture as an SVG document."""
    drawing = _lay_out(drawn)
    width = _n(drawing.layout.width + 2 * _MARGIN)
    height = _n(drawing.layout.height + 2 * _MARGIN)
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"',
        'class="treadle-graph" role="img">',
        f"<style>{_STYLE}</style>",
        _HEAD,
        f'<rect class="paper" {size} rx="12"/>',
        *_draw(drawing, _MARGIN, _MARGIN),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _lay_out(drawn: Picture) -> _Drawing:
    insides = [_lay_out(shape.inside) if shape.inside else None for shape in drawn.shapes]
    ends = [end for link in drawn.links for end in (link.source, link.target)]
    boxes = [
        _box(shape, inside, ends.count(index))
        for index, (shape, inside) in enumerate(zip(drawn.shapes, insides, strict=True))
    ]
    labels = [wrapped(link.label, _NOTE, _MAX_LINE, _MAX_LABEL_LINES) for link in drawn.links]
    wires = [
        Wire(link.source, link.target, _label_box(label) if label else None)
        for link, label in zip(drawn.links, labels, strict=True)
    ]
    return _Drawing(drawn, arrange(boxes, wires), boxes, labels, insides)


def _label_box(lines: Sequence[str]) -> Box:
    return Box(widest(lines, _NOTE) + 8, len(lines) * _NOTE_LINE + 2)


def _box(shape: Shape, inside: _Drawing | None, wires: int) -> Box:
    ports = _PORT * (wires + 1)
    if inside:
        text = widest(wrapped(shape.title, _TITLE, _MAX_LINE, 1), _TITLE)
        width = max(inside.layout.width, text, ports) + 2 * _GROUP_PAD
        return Box(width, inside.layout.height + _GROUP_TITLE + _GROUP_PAD)
    title, notes = _texts(shape)
    width = max(widest(title, _TITLE), widest(notes, _NOTE), 40.0) + 2 * _PAD_X
    height = len(title) * _TITLE_LINE + len(notes) * _NOTE_LINE
    return Box(max(width, ports), height + (2 * _PAD_Y if shape.kind == "node" else _PAD_Y))


def _texts(shape: Shape) -> tuple[list[str], list[str]]:
    title = wrapped(shape.title, _TITLE, _MAX_LINE, _MAX_TITLE_LINES)
    notes = [line for note in shape.notes for line in wrapped(note, _NOTE, _MAX_LINE, 1)]
    if len(notes) > _MAX_NOTE_LINES:
        shown = _MAX_NOTE_LINES - 1
        notes = [*notes[:shown], f"and {len(notes) - shown} more"]
    return title, notes


def _draw(drawing: _Drawing, left: float, top: float) -> Iterator[str]:
    shapes, links, layout = drawing.picture.shapes, drawing.picture.links, drawing.layout
    corners = [(left + x, top + y) for x, y in layout.corners]
    for shape, box, (x, y), inside in zip(
        shapes, drawing.boxes, corners, drawing.insides, strict=True
    ):
        yield f'<g data-node="{_attribute(shape.path)}"><title>{escape(shape.path)}</title>'
        if inside:
            yield from _group(shape, box, x, y)
            indent = (box.width - inside.layout.width) / 2
            yield from _draw(inside, x + indent, y + _GROUP_TITLE)
        else:
            yield from _node(shape, box, x, y)
        yield "</g>"
    for link, label, route, centre in zip(
        links, drawing.labels, layout.routes, layout.labels, strict=True
    ):
        source, target = shapes[link.source].path, shapes[link.target].path
        stops = [Stop(left + stop.x, top + stop.enter, top + stop.leave) for stop in route]
        path = _curve(stops) if stops else _loop(drawing.boxes[link.source], *corners[link.source])
        yield (
            f'<path class="wire{" choice" if link.conditional else ""}" d="{path}"'
            f' data-from="{_attribute(source)}" data-to="{_attribute(target)}"'
            ' marker-end="url(#treadle-head)"/>'
        )
        if centre:
            yield from _label(label, left + centre[0], top + centre[1])


def _group(shape: Shape, box: Box, x: float, y: float) -> Iterator[str]:
    yield _rect("group", x, y, box, 12)
    for line in wrapped(shape.title, _TITLE, _MAX_LINE, 1):
        yield f'<text class="heading" x="{_n(x + 14)}" y="{_n(y + 22)}">{escape(line)}</text>'


def _node(shape: Shape, box: Box, x: float, y: float) -> Iterator[str]:
    yield _rect(shape.kind, x, y, box, 9 if shape.kind == "node" else box.height / 2)
    title, notes = _texts(shape)
    middle = x + box.width / 2
    line_y = y + (box.height - len(title) * _TITLE_LINE - len(notes) * _NOTE_LINE) / 2
    for line in title:
        line_y += _TITLE_LINE
        yield f'<text x="{_n(middle)}" y="{_n(line_y - 4.5)}">{escape(line)}</text>'
    for line in notes:
        line_y += _NOTE_LINE
        yield f'<text class="note" x="{_n(middle)}" y="{_n(line_y - 3.5)}">{escape(line)}</text>'


def _label(lines: Sequence[str], x: float, y: float) -> Iterator[str]:
    box = _label_box(lines)
    yield _rect("paper", x - box.width / 2, y - box.height / 2, box, 4)
    for number, line in enumerate(lines):
        line_y = y - box.height / 2 + (number + 1) * _NOTE_LINE - 2.5
        yield f'<text class="label" x="{_n(x)}" y="{_n(line_y)}">{escape(line)}</text>'


def _curve(stops: Sequence[Stop]) -> str:
    steps = [f"M{_n(stops[0].x)} {_n(stops[0].enter)}", *_down(stops[0])]
    for one, following in pairwise(stops):
        bend = _n((one.leave + following.enter) / 2)
        steps.append(
            f"C{_n(one.x)} {bend} {_n(following.x)} {bend} {_n(following.x)} {_n(following.enter)}"
        )
        steps += _down(following)
    return " ".join(steps)


def _down(stop: Stop) -> list[str]:
    """Go from where a wire enters a row to where it leaves it.

    A line without a length would have no direction, and so would the arrow's head at its end.
    """
    return [] if _n(stop.enter) == _n(stop.leave) else [f"V{_n(stop.leave)}"]


def _loop(box: Box, x: float, y: float) -> str:
    side, middle = x + box.width, y + box.height / 2
    return f"M{_n(side)} {_n(middle - 9)} c34 -12 34 30 0 18"


def _rect(kind: str, x: float, y: float, box: Box, radius: float) -> str:
    size = f'width="{_n(box.width)}" height="{_n(box.height)}" rx="{_n(radius)}"'
    return f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" {size}/>'


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
