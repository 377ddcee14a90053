"""The nodes that a run is asked for with: LangGraph passes over those that its graph lacks."""

from collections.abc import Iterable

from langgraph.constants import END, START

from treadle.core.errors import InputError
from treadle.graphs import Graph
from treadle.runtime.runs._options import RunOptions
from treadle.runtime.runs._resumption import Change


def check_change(graph: Graph, change: Change) -> None:
    """Refuse nodes to go on with that the graph does not have.

    Raises:
        InputError: there is one; it names it, and the nodes there are.
    """
    named = (node if isinstance(node, str) else node["node"] for node in change.goto)
    _check(graph, named, {*graph.nodes, END} - {START}, "to go on with")


def check_stops(graph: Graph, options: RunOptions) -> None:
    """Refuse nodes to stop at that the graph does not have.

    Raises:
        InputError: there is one; it names it, and the nodes there are.
    """
    if options.interrupt_before != "*":
        _check(graph, options.interrupt_before, {*graph.nodes}, "to interrupt before")
    if options.interrupt_after != "*":
        _check(graph, options.interrupt_after, {*graph.nodes}, "to interrupt after")


def _check(graph: Graph, named: Iterable[str], known: set[str], what_for: str) -> None:
    unknown = next((name for name in named if name not in known), None)
    if unknown is not None:
        nodes = ", ".join(name for name in graph.nodes if name != START)
        raise InputError(
            f"The graph has no node {unknown!r:.100} {what_for}.",
            hint=f"Its nodes are {nodes:.500}.",
        )
