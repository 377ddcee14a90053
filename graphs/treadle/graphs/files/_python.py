"""Writing a graph file down as Python code that makes the same graph."""

from collections.abc import Iterator
from pathlib import Path

from treadle.graphs.files._compile import place_of
from treadle.graphs.files._conditions import literal
from treadle.graphs.files._spec import START, EdgeSpec, GraphSpec, NodeSpec, names_of
from treadle.graphs.turns import BEGIN
from treadle.graphs.turns.fields import TYPES

_WIDTH = 100
_HINTS = {"array": "list[Any]", "object": "dict[str, Any]"}
_HELPERS = ("add", "append", "at", "contains", "merge", "number", "runs")


def python_of(path: Path, spec: GraphSpec) -> str:
    """Return the code: a module with the state, and a function that makes the graph of its parts.

    Args:
        path: the file; the graph's name is its own.
        spec: what it says; it was checked.
    """
    name = "".join(c if c.isalnum() else "_" for c in path.stem.lower())
    body = "\n".join([*_state(spec), "", "", *_function(name, spec)])
    head = [f'"""{_sentence(spec.description) or f"The graph {name}."}"""', "", *_imports(body)]
    return "\n".join([*head, "", "", body]) + "\n"


def _sentence(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")


def _imports(body: str) -> Iterator[str]:
    names = [one for one in ("Annotated", "Any") if f"{one}[" in body or f"{one}]" in body
             or f" {one}\n" in body]  # fmt: skip
    if names:
        yield from (f"from typing import {', '.join(names)}", "")
    yield "from treadle.graphs import Graph, GraphParts"
    helpers = [name for name in _HELPERS if f"{name}(" in body or f", {name}]" in body]
    yield f"from treadle.graphs.turns import {', '.join(['TurnGraph', 'TurnState', *helpers])}"


def _state(spec: GraphSpec) -> Iterator[str]:
    yield "class State(TurnState, total=False):"
    yield '    """What the nodes know beside the conversation."""'
    if spec.state:
        yield ""
    for name, field in spec.state.items():
        hint = _HINTS.get(field.type, TYPES[field.type].__name__)
        reduced = f"Annotated[{hint}, {field.reduce}]"
        yield f"    {name}: {hint if field.reduce == 'replace' else reduced}"


def _function(name: str, spec: GraphSpec) -> Iterator[str]:
    yield f"def {name}(parts: GraphParts) -> Graph:"
    yield f'    """{_sentence(spec.description) or "Return the graph."}"""'
    yield from _call("graph = TurnGraph", ["parts", "State", *_turn_options(spec)])
    for node, said in spec.nodes.items():
        yield from _node(node, said)
    yield ""
    for edge in spec.edges:
        yield from _edge(spec, edge)
    if any(len(edge.sources) > 1 for edge in spec.edges):
        yield '    graph.add_edge("begin", "finish")  # What is waited for may never come.'
    options = ["checkpointer=parts.checkpointer", "store=parts.store", "name=parts.name"]
    yield from _call("return graph.compile", options)


def _turn_options(spec: GraphSpec) -> Iterator[str]:
    defaults = {name: f.default for name, f in spec.state.items() if f.default is not None}
    if defaults:
        yield f"defaults={literal(defaults)}"
    if keep := [name for name, field in spec.state.items() if field.keep]:
        yield f"keep={literal(keep)}"
    if spec.answer is not None:
        yield f"answer={_text(spec.answer)}"


def _node(name: str, node: NodeSpec) -> Iterator[str]:
    (kind,) = node.kinds
    value = getattr(node, kind)
    arguments = [literal(name), _text(value)]
    if kind == "tool":
        arguments.append(_data(dict(node.arguments), ""))
    if node.task is not None:
        arguments.append(f"task={_text(node.task)}")
    if node.to is not None:
        arguments.append(f"to={literal(node.to)}")
    if node.output is not None:
        arguments.append(_data(node.output, "output="))
    if not node.conversation:
        arguments.append("conversation=False")
    if node.model is not None:
        arguments.append(f"model={literal(node.model)}")
    yield from _call(f"graph.{kind}", arguments)


def _edge(spec: GraphSpec, edge: EdgeSpec) -> Iterator[str]:
    sources = [BEGIN if name == START else name for name in edge.sources]
    source = literal(sources if len(sources) > 1 else sources[0])
    if edge.choose is not None:
        yield from _choice(spec, edge, sources[0])
    elif edge.each is not None:
        (to,), (otherwise,) = names_of(edge.to), names_of(edge.else_)
        yield from _call(
            "graph.fan_out",
            [
                source,
                literal(edge.each),
                f"item={literal(edge.as_)}",
                f"to={literal(to)}",
                f"most={edge.most}",
                f"otherwise={_place(otherwise)}",
            ],
        )
    else:
        for target in names_of(edge.to):
            yield f"    graph.add_edge({source}, {_place(target)})"


def _choice(spec: GraphSpec, edge: EdgeSpec, source: str) -> Iterator[str]:
    several = any(len(names_of(choice.to)) > 1 for choice in edge.choose or ())
    several = several or len(names_of(edge.else_)) > 1
    yield ""
    yield f"    def after_{source}(state: State) -> {'list[str]' if several else 'str'}:"
    targets: dict[str, None] = {}
    for choice in edge.choose or ():
        names = names_of(choice.to)
        targets |= dict.fromkeys(map(_place, names))
        bounds = [
            f"{_runs(name)} < {spec.nodes[name].max_runs}"
            for name in names
            if name in spec.nodes and spec.nodes[name].max_runs
        ]
        yield from _if(choice.if_.code(), bounds, is_or=choice.if_.any is not None)
        yield f"            return {_way(names, several)}"
    otherwise = names_of(edge.else_)
    targets |= dict.fromkeys(map(_place, otherwise))
    yield f"        return {_way(otherwise, several)}"
    yield ""
    ways = f"[{', '.join(targets)}]"
    yield from _call("graph.add_conditional_edges", [literal(source), f"after_{source}", ways])


def _runs(name: str) -> str:
    return f'runs(state, "{name}")'


def _if(condition: str, bounds: list[str], *, is_or: bool) -> Iterator[str]:
    parts = [f"({condition})" if is_or and bounds else condition, *bounds]
    line = f"        if {' and '.join(parts)}:"
    if len(line) <= _WIDTH:
        yield line
        return
    yield "        if ("
    yield f"            {parts[0]}"
    yield from (f"            and {part}" for part in parts[1:])
    yield "        ):"


def _way(names: tuple[str, ...], several: bool) -> str:
    return f"[{', '.join(map(_place, names))}]" if several else _place(names[0])


def _place(name: str) -> str:
    return literal(place_of(name))


def _call(name: str, arguments: list[str]) -> Iterator[str]:
    line = f"    {name}({', '.join(arguments)})"
    if len(line) <= _WIDTH and "\n" not in line:
        yield line
        return
    yield f"    {name}("
    for argument in arguments:
        yield "        " + argument.replace("\n", "\n        ") + ","
    yield "    )"


def _text(text: str) -> str:
    """Return a text as Python writes it, a line of it on a line of code where it is long."""
    whole = literal(text)
    if len(whole) <= _WIDTH - 12:
        return whole
    inner = "\n".join(f"    {literal(line)}" for line in text.splitlines(keepends=True))
    return f"(\n{inner}\n)"


def _data(value: object, before: str) -> str:
    """Return data as Python writes it, an entry on a line of code where it is long."""
    whole = before + literal(value)
    if len(whole) <= _WIDTH - 12 or not isinstance(value, (dict, list)) or not value:
        return whole
    if isinstance(value, dict):
        entries = [_data(part, f"{literal(key)}: ") for key, part in value.items()]
    else:
        entries = [_data(part, "") for part in value]
    start, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    inner = "".join("    " + entry.replace("\n", "\n    ") + ",\n" for entry in entries)
    return f"{before}{start}\n{inner}{end}"
