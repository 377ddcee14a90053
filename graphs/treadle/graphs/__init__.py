"""Reasoning graphs: patterns of nodes that use a model as their engine.

Each pattern is a function from `GraphParts` (model, tools, prompt) and its own options to a
compiled LangGraph graph that runs with or without the runtime; a project describes graphs of its
own in YAML (`GraphFile`) or writes them with `treadle.graphs.turns`. `extract_facts` finds, after a
run, what a person said that is worth remembering.
"""

from treadle.graphs._cut_short import cut_short, refusal_of, words_of
from treadle.graphs._drawing import to_mermaid, to_svg
from treadle.graphs._extraction import extract_facts
from treadle.graphs._guards import STOPPED, partial_answer
from treadle.graphs._parts import Colleague, Graph, GraphParts, NamedModel, cannot_call_tools
from treadle.graphs._prompts import Prompts
from treadle.graphs._reasoning import ThoughtState
from treadle.graphs._registry import (
    brings_own_models,
    build_graph,
    pattern_names,
    versions,
)
from treadle.graphs.chain_of_thought import ChainOfThoughtOptions, chain_of_thought
from treadle.graphs.files import GRAPH_FOLDER, GraphFile, graph_files
from treadle.graphs.least_to_most import LeastToMostOptions, least_to_most
from treadle.graphs.map_reduce import MapReduceOptions, map_reduce
from treadle.graphs.plan_execute import PlanExecuteOptions, plan_execute
from treadle.graphs.react import ReactOptions, react
from treadle.graphs.reflexion import ReflexionOptions, ReflexionState, reflexion
from treadle.graphs.research import ResearchOptions, research
from treadle.graphs.route import RouteOptions, route
from treadle.graphs.self_consistency import SelfConsistencyOptions, self_consistency
from treadle.graphs.supervisor import SupervisorOptions, supervisor
from treadle.graphs.tree_of_thoughts import TreeOfThoughtsOptions, tree_of_thoughts

__all__ = [
    "GRAPH_FOLDER",
    "STOPPED",
    "ChainOfThoughtOptions",
    "Colleague",
    "Graph",
    "GraphFile",
    "GraphParts",
    "LeastToMostOptions",
    "MapReduceOptions",
    "NamedModel",
    "PlanExecuteOptions",
    "Prompts",
    "ReactOptions",
    "ReflexionOptions",
    "ReflexionState",
    "ResearchOptions",
    "RouteOptions",
    "SelfConsistencyOptions",
    "SupervisorOptions",
    "ThoughtState",
    "TreeOfThoughtsOptions",
    "brings_own_models",
    "build_graph",
    "cannot_call_tools",
    "chain_of_thought",
    "cut_short",
    "extract_facts",
    "graph_files",
    "least_to_most",
    "map_reduce",
    "partial_answer",
    "pattern_names",
    "plan_execute",
    "react",
    "reflexion",
    "refusal_of",
    "research",
    "route",
    "self_consistency",
    "supervisor",
    "to_mermaid",
    "to_svg",
    "tree_of_thoughts",
    "versions",
    "words_of",
]
