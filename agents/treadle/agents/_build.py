"""Making an agent's graph."""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents._definition import Agent
from treadle.agents._instrument import instrument
from treadle.agents.models import Models, ResolvedModel
from treadle.graphs import Graph, GraphParts, Prompts, build_graph
from treadle.memory.bundle import Memory
from treadle.memory.window import ContextWindow
from treadle.tools import Tool, ToolContext, build_tool


def build_agent(
    agent: Agent,
    context: ToolContext,
    models: Models,
    memory: Memory | BaseCheckpointSaver[Any] | None,
) -> Graph:
    """Return the agent's graph, ready to run.

    Args:
        agent: the definition.
        context: what its tools are made with.
        models: where its model is found.
        memory: where conversations are kept, searched and found again. With a checkpointer alone
            they are kept, and what does not fit into the window is not shown; without either
            nothing is kept.

    Raises:
        UnknownNameError: the graph, the model or a tool has an unknown name.
        ConfigError: one of them cannot be used as it is configured.
    """
    model = models.resolve(agent.model or context.settings.model)
    tools = [build_tool(name, context) for name in agent.tools]
    if ":" in agent.graph or not all(isinstance(tool, Tool) for tool in tools):
        instrument()
    parts = GraphParts(
        model=model.chat,
        fallbacks=model.fallbacks,
        tools=tools,
        prompt=agent.prompt,
        prompts=Prompts(context.project),
        window=_window(agent, model, memory),
        output=agent.output,
        checkpointer=memory.saver if isinstance(memory, Memory) else memory,
        store=memory.store if isinstance(memory, Memory) else None,
        name=agent.name,
    )
    return build_graph(agent.graph, parts, agent.options, context.project)


def _window(agent: Agent, model: ResolvedModel, memory: object) -> ContextWindow:
    chosen = agent.memory
    tokens = chosen.window_tokens
    if model.context_tokens is not None:
        # Leave room for the answer, and for what an approximate count misses.
        tokens = min(tokens, model.context_tokens * 3 // 4)
    if not isinstance(memory, Memory):
        return ContextWindow(tokens, summary=chosen.summary, model=model.chat)
    return memory.window(
        tokens,
        summary=chosen.summary,
        model=model.chat,
        recall=chosen.recall,
        embeddings=chosen.embeddings,
        facts=chosen.facts,
    )
