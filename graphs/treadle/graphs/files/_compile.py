"""Making a LangGraph graph of a graph file."""

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from treadle.core.errors import ConfigError, UserError
from treadle.core.yaml_files import Place, YamlFile
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs.files._arguments import check_arguments
from treadle.graphs.files._spec import END, START, EdgeSpec, FieldSpec, GraphSpec, names_of
from treadle.graphs.turns import BEGIN, FINISH, TurnGraph, TurnState, add, append, merge, runs
from treadle.graphs.turns.fields import TYPES

_REDUCERS: dict[str, Callable[..., Any]] = {"append": append, "add": add, "merge": merge}


def compile_spec(file: YamlFile, spec: GraphSpec, parts: GraphParts) -> Graph:
    """Return the graph that a file describes.

    Args:
        file: where it is said, for errors.
        spec: what it says; it was checked.
        parts: what the graph is made of.

    Raises:
        ConfigError: the agent lacks a tool or an agent that the graph names, a function cannot be
            loaded, or the agent's output has no node that could fill it.
    """
    _check_output(file, spec, parts)
    graph = TurnGraph(
        parts,
        _state(spec),
        defaults={n: f.default for n, f in spec.state.items() if f.default is not None},
        keep=[name for name, field in spec.state.items() if field.keep],
        answer=spec.answer or "",
    )
    for name in spec.nodes:
        _add_node(graph, file, spec, name, parts)
    for edge in spec.edges:
        _add_edge(graph, spec, edge)
    if any(len(edge.sources) > 1 for edge in spec.edges):
        graph.add_edge(BEGIN, FINISH)  # What is waited for may never come.
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


def _check_output(file: YamlFile, spec: GraphSpec, parts: GraphParts) -> None:
    if parts.output is None:
        return
    if spec.answer is not None or not any(node.answers for node in spec.nodes.values()):
        raise file.error(
            ("answer",) if spec.answer else ("nodes",),
            "the agent has an 'output', and no node of the graph answers with data.",
            hint="Leave 'answer' out, and let a node with 'prompt' go without 'to'.",
        )


def _state(spec: GraphSpec) -> type:
    hints = {name: _hint(field) for name, field in spec.state.items()}
    return types.new_class(
        "State", (TurnState,), {"total": False}, lambda body: body.update(__annotations__=hints)
    )


def _hint(field: FieldSpec) -> Any:
    plain = TYPES[field.type]
    return Annotated[plain, _REDUCERS[field.reduce]] if field.reduce in _REDUCERS else plain


def _add_node(
    graph: TurnGraph, file: YamlFile, spec: GraphSpec, name: str, parts: GraphParts
) -> None:
    node, to = spec.nodes[name], spec.nodes[name].to or ""
    (kind,) = node.kinds
    with _located(file, ("nodes", name, "model" if node.model else kind)):
        if node.prompt is not None:
            graph.prompt(
                name,
                node.prompt,
                to=to,
                output=node.output,
                conversation=node.conversation,
                model=node.model or "",
            )
        elif node.tool is not None:
            graph.tool(name, node.tool, node.arguments, to=to)
            check_arguments(file, name, node, parts.tools)
        elif node.agent is not None:
            graph.agent(name, node.agent, task=node.task or "", to=to)
        elif node.python is not None:
            graph.python(name, node.python)
        else:
            graph.interrupt(name, node.interrupt or "", to=to)


@contextmanager
def _located(file: YamlFile, place: Place) -> Iterator[None]:
    """Add the place in the file to what is wrong there."""
    try:
        yield
    except UserError as error:
        if isinstance(error, ConfigError) and error.path == file.path:
            raise
        raise file.error(place, error.message, hint=error.hint) from None


def _add_edge(graph: TurnGraph, spec: GraphSpec, edge: EdgeSpec) -> None:
    sources = [BEGIN if name == START else name for name in edge.sources]
    if edge.choose is not None:
        targets = [name for choice in edge.choose for name in names_of(choice.to)]
        ways = dict.fromkeys(map(place_of, (*targets, *names_of(edge.else_))))
        graph.add_conditional_edges(sources[0], _choosing(spec, edge), list(ways))
    elif edge.each is not None:
        (to,), (otherwise,) = names_of(edge.to), names_of(edge.else_)
        graph.fan_out(
            sources[0], edge.each, item=edge.as_ or "", to=to, most=edge.most,
            otherwise=place_of(otherwise),
        )  # fmt: skip
    else:
        for target in names_of(edge.to):
            graph.add_edge(sources if len(sources) > 1 else sources[0], place_of(target))


def _choosing(spec: GraphSpec, edge: EdgeSpec) -> Callable[[Mapping[str, Any]], Any]:
    bounds = {name: node.max_runs for name, node in spec.nodes.items() if node.max_runs}
    ways = [(choice.if_, names_of(choice.to)) for choice in edge.choose or ()]
    otherwise = names_of(edge.else_)

    def choose(state: Mapping[str, Any]) -> list[str]:
        for condition, names in ways:
            has_room = all(runs(state, name) < bounds[name] for name in names if name in bounds)
            if has_room and condition.holds(state):
                return [place_of(name) for name in names]
        return [place_of(name) for name in otherwise]

    return choose


def place_of(name: str) -> str:
    """Return the node that a name of a file stands for."""
    return FINISH if name == END else name
