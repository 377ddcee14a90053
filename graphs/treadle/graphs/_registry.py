"""Finding graphs by name: the shipped patterns, and LangGraph graphs in the project's files."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from langgraph.graph.state import CompiledStateGraph, StateGraph
from pydantic import BaseModel, ValidationError

from treadle.core.errors import ConfigError, TreadleError, UnknownNameError
from treadle.core.files import load_object
from treadle.core.plugins import load_plugin, plugin_names, plugin_package
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._prompts import Prompts, digest
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


def versions(name: str, project: Path) -> dict[str, str]:
    """Return what tells one version of a graph from another, by what it is a version of.

    These are digests: of the project's prompts, of all that are shipped, and of the file of the
    project that the graph is written in, if it is.

    Args:
        name: the graph's, as for `build_graph`.
        project: the project's folder.

    Raises:
        ConfigError: a prompt of the project cannot be used.
    """
    digests = dict(Prompts(project).digests)
    path = project / name.partition(":")[0] if ":" in name else graph_files(project).get(name)
    if path is not None and path.is_file():
        digests[path.relative_to(project).as_posix()] = digest(path.read_bytes())
    return digests


def brings_own_models(name: str, project: Path) -> bool:
    """Tell whether a graph that can be built was not given the models of its agent.

    Such is a LangGraph graph that was compiled before, or is made by a function without arguments.

    Args:
        name: the graph's, as for `build_graph`.
        project: the project's folder.
    """
    if ":" in name:
        found = load_object(name, project)
    elif name in _PATTERNS or name in graph_files(project):
        return False
    else:
        found = load_plugin("graph", name)
    return not (inspect.isfunction(found) and inspect.signature(found).parameters)


def build_graph(name: str, parts: GraphParts, options: Mapping[str, Any], project: Path) -> Graph:
    """Make the graph of that name.

    Args:
        name: a shipped pattern, the name of a graph file of the project, which comes before a
            shipped pattern, or ``path.py:name`` for a LangGraph graph in the project: a
            ``StateGraph``, a compiled graph, or a function that returns one (given `GraphParts`
            when it takes an argument, and options when a second one is annotated with a pydantic
            model); or what an installed package brings as an entry point of ``treadle.graphs``.
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
        return _graph_of(load_object(name, project), name, parts, options)
    own = graph_files(project)
    if name in own:
        _refuse_options(name, options)
        return GraphFile(own[name]).compile(parts)
    brought = plugin_names("graph") if name not in _PATTERNS else []
    if name in brought:
        whose = f"the graph {name!r} of the package {plugin_package('graph', name)}"
        return _graph_of(load_plugin("graph", name), whose, parts, options)
    if name not in _PATTERNS:
        hint = (
            f"A graph of your own is a file {GRAPH_FOLDER}/NAME.yaml in the project, or a "
            "LangGraph graph named as 'path.py:name'."
        )
        raise UnknownNameError("graph", name, {*_PATTERNS, *own, *brought}, hint=hint)
    pattern, option_type = _PATTERNS[name]
    if parts.colleagues and name not in _WITH_COLLEAGUES:
        raise ConfigError(
            f"the graph {name!r} gives no work to other agents.",
            hint=f"Leave 'agents' out, or use one of: {', '.join(sorted(_WITH_COLLEAGUES))}.",
        )
    return pattern(parts, _parsed(f"the graph {name!r}", option_type, options))


def _parsed(whose: str, option_type: type[BaseModel], options: Mapping[str, Any]) -> BaseModel:
    try:
        return option_type.model_validate(dict(options))
    except ValidationError as error:
        raise _bad_option(whose, option_type, error) from None


def _bad_option(whose: str, option_type: type[BaseModel], error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    known = ", ".join(sorted(option_type.model_fields)) or "none"
    return ConfigError(f"option {place!r} of {whose}: {first['msg']}. Its options: {known}.")


def _graph_of(found: Any, name: str, parts: GraphParts, options: Mapping[str, Any]) -> Graph:
    if inspect.isfunction(found):
        found = _call_factory(name, found, parts, options)
    else:
        _refuse_options(name, options)
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


def _call_factory(
    name: str, factory: Callable[..., Any], parts: GraphParts, options: Mapping[str, Any]
) -> Any:
    takes = len(inspect.signature(factory).parameters)
    option_type = _option_type(factory) if takes > 1 else None
    arguments: list[Any] = [parts] if takes else []
    if option_type is None:
        _refuse_options(name, options)
    else:
        arguments.append(_parsed(name, option_type, options))
    try:
        return factory(*arguments)
    except TreadleError:
        raise
    except Exception as error:
        raise ConfigError(f"{name} raised {type(error).__name__}: {error}") from error


def _option_type(factory: Callable[..., Any]) -> type[BaseModel] | None:
    """Return the pydantic model that a factory's second argument is annotated with."""
    second = list(inspect.signature(factory).parameters)[1]
    hint = get_type_hints(factory).get(second)
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
