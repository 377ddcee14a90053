"""Parts that only bear the names that a graph file uses, so that it can be drawn by itself."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, StructuredTool

from treadle.graphs._parts import Colleague, GraphParts
from treadle.graphs.files._spec import GraphSpec
from treadle.graphs.react import react


@dataclass(frozen=True)
class _Any:
    """Any model at all."""

    chat: BaseChatModel
    fallbacks: tuple[BaseChatModel, ...] = ()
    context_tokens: int | None = None


def with_stand_ins(spec: GraphSpec, parts: GraphParts) -> GraphParts:
    """Return the parts with something for every tool and agent that the graph names."""
    nodes = spec.nodes.values()
    graph = react(replace(parts, tools=(), colleagues=(), output=None))
    agents = dict.fromkeys(node.agent for node in nodes if node.agent)
    return replace(
        parts,
        tools=[_tool(name, spec) for name in dict.fromkeys(n.tool for n in nodes if n.tool)],
        colleagues=[Colleague(name, "", graph, graph) for name in agents],
        model_named=lambda _: _Any(parts.model),
    )


def _tool(name: str, spec: GraphSpec) -> BaseTool:
    """Return a tool that takes whatever the file gives it."""
    given: Iterable[str] = (
        argument for node in spec.nodes.values() if node.tool == name for argument in node.arguments
    )
    schema = {
        "title": name,
        "description": name,
        "type": "object",
        "properties": {argument: {} for argument in given},
    }
    return StructuredTool(name=name, description=name, args_schema=schema, func=lambda: None)
