"""Finding graphs by name: the shipped patterns, and LangGraph graphs in the project's files."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from langgraph.graph.state import CompiledStateGraph, StateGraph
from pydantic import BaseModel, ValidationError

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.files import load_object
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs.chain_of_thought import ChainOfThoughtOptions, chain_of_thought
from treadle.graphs.files import GRAPH_FOLDER, GraphFile, graph_files
from treadle.graphs.least_to_most import LeastToMostOptions, least_to_most
from treadle.graphs.map_reduce import MapReduceOptions, map_reduce
from treadle.graphs.plan_execute import PlanExecuteOptions, plan_execute
from treadle.graphs.react import ReactOptions, react
from treadle.graphs.reflexion import ReflexionOptions, reflexion
from treadle.graphs.research import ResearchOptions, research
from treadle.graphs.route import RouteOptions, route
from treadle.graphs.self_consistency import SelfConsistencyOptions, self_consistency
from treadle.graphs.supervisor import SupervisorOptions, supervisor
from treadle.graphs.tree_of_thoughts import TreeOfThoughtsOptions, tree_of_thoughts

_Pattern = tuple[Callable[[GraphParts, Any], Graph], type[BaseModel]]

_PATTERNS: dict[str, _Pattern] = {
    "chain_of_thought": (chain_of_thought, ChainOfThoughtOptions),
    "least_to_most": (least_to_most, LeastToMostOptions),
    "map_reduce": (map_reduce, MapReduceOptions),
    "plan_execute": (plan_execute, PlanExecuteOptions),
    "react": (react, ReactOptions),
    "reflexion": (reflexion, ReflexionOptions),
    "research": (research, ResearchOptions),
    "route": (route, RouteOptions),
    "self_consistency": (self_consistency, SelfConsistencyOptions),
    "supervisor": (supervisor, SupervisorOptions),
    "tree_of_thoughts": (tree_of_thoughts, TreeOfThoughtsOptions),
}
_WITH_COLLEAGUES = {"route", "supervisor"}


def pattern_names() -> list[str]:
    """Return the names of the graphs that come with Treadle."""
    return sorted(_PATTERNS)


def build_graph(name: str, parts: GraphParts, options: Mapping[str, Any], project: Path) -> Graph:
    """Make the graph of that name.

    Args:
        name: a shipped pattern, the name of a graph file of the project, which comes before a
            shipped pattern, or ``path.py:name`` for a LangGraph graph in the project: a
            ``StateGraph``, a compiled graph, or a function that returns one (given `GraphParts`
            when it takes an argument).
        parts: what it is made of. A foreign compiled graph keeps its own model and tools and gets
            only the checkpointer.
        options: the pattern's own options.
        project: the project's folder.

    Raises:
        UnknownNameError: no graph has that name.
        ConfigError: an option is unknown or wrong, or the project's file cannot be used.
    """
    parts = replace(parts, project=project)
    if ":" in name:
        return _project_graph(name, parts, options, project)
    own = graph_files(project)
    if name in own:
        _refuse_options(name, options)
        return GraphFile(own[name]).compile(parts)
    if name not in _PATTERNS:
        hint = (
            f"A graph of your own is a file {GRAPH_FOLDER}/NAME.yaml in the project, or a "
            "LangGraph graph named as 'path.py:name'."
        )
        raise UnknownNameError("graph", name, {*_PATTERNS, *own}, hint=hint)
    pattern, option_type = _PATTERNS[name]
    if parts.colleagues and name not in _WITH_COLLEAGUES:
        raise ConfigError(
            f"the graph {name!r} gives no work to other agents.",
            hint=f"Leave 'agents' out, or use one of: {', '.join(sorted(_WITH_COLLEAGUES))}.",
        )
    try:
        parsed = option_type.model_validate(dict(options))
    except ValidationError as error:
        raise _bad_option(name, option_type, error) from None
    return pattern(parts, parsed)


def _bad_option(name: str, option_type: type[BaseModel], error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    known = ", ".join(sorted(option_type.model_fields)) or "none"
    return ConfigError(
        f"option {place!r} of the graph {name!r}: {first['msg']}. Its options: {known}."
    )


def _project_graph(
    name: str, parts: GraphParts, options: Mapping[str, Any], project: Path
) -> Graph:
    _refuse_options(name, options)
    found = load_object(name, project)
    if inspect.isfunction(found):
        found = _call_factory(name, found, parts)
    if isinstance(found, StateGraph):
        return found.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)
    if isinstance(found, CompiledStateGraph):
        # A graph that brings a store of its own keeps it.
        store = found.store or parts.store
        return found.copy({"checkpointer": parts.checkpointer, "store": store, "name": parts.name})
    raise ConfigError(
        f"{name} is a {type(found).__name__}, not a LangGraph graph.",
        hint="Name a StateGraph, a compiled graph, or a function that returns one.",
    )


def _refuse_options(name: str, options: Mapping[str, Any]) -> None:
    if options:
        raise ConfigError(f"the graph {name!r} takes no options; remove {', '.join(options)}.")


def _call_factory(name: str, factory: Callable[..., Any], parts: GraphParts) -> Any:
    arguments = [parts] if inspect.signature(factory).parameters else []
    try:
        return factory(*arguments)
    except Exception as error:
        raise ConfigError(f"{name} raised {type(error).__name__}: {error}") from error
