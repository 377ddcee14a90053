"""Making an agent's graph."""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents._definition import Agent
from treadle.agents.models import Models
from treadle.graphs import Graph, GraphParts, build_graph
from treadle.tools import ToolContext, build_tool


def build_agent(
    agent: Agent,
    context: ToolContext,
    models: Models,
    checkpointer: BaseCheckpointSaver[Any] | None,
) -> Graph:
    """Return the agent's graph, ready to run.

    Args:
        agent: the definition.
        context: what its tools are made with.
        models: where its model is found.
        checkpointer: where conversations are kept; nothing is kept without one.

    Raises:
        UnknownNameError: the graph, the model or a tool has an unknown name.
        ConfigError: one of them cannot be used as it is configured.
    """
    model = models.resolve(agent.model or context.settings.model)
    window = agent.memory.window_tokens
    if model.context_tokens is not None:
        # Leave room for instructions, tools and the answer.
        window = min(window, model.context_tokens // 2)
    parts = GraphParts(
        model=model.chat,
        fallbacks=model.fallbacks,
        tools=[build_tool(name, context) for name in agent.tools],
        prompt=agent.prompt,
        window_tokens=window,
        output=agent.output,
        checkpointer=checkpointer,
        name=agent.name,
    )
    return build_graph(agent.graph, parts, agent.options, context.project)
