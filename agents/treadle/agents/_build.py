"""Making an agent's graph."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents._catalogue import find_agent
from treadle.agents._definition import Agent
from treadle.agents._instrument import instrument
from treadle.agents.models import Models, ResolvedModel, info_of, settings_taken
from treadle.core.errors import ConfigError
from treadle.core.model_settings import ALL
from treadle.graphs import (
    Colleague,
    Graph,
    GraphParts,
    Prompts,
    brings_own_models,
    build_graph,
    cannot_call_tools,
    pattern_names,
)
from treadle.memory.bundle import Memory
from treadle.memory.window import ContextWindow
from treadle.tools import Tool, ToolContext, build_tools, client_tool


@dataclass(frozen=True)
class Caller:
    """An agent that calls tools in a graph: the one that was made, or one that works for it.

    Attributes:
        agent: its definition.
        tools: the tools it was given.
        graph: its graph, which may have tools of its own.
    """

    agent: Agent
    tools: Sequence[BaseTool]
    graph: Graph


@dataclass(frozen=True)
class BuiltAgent:
    """An agent that was made.

    Attributes:
        graph: its graph.
        callers: the agents whose policies hold in it: itself, and those that work for it.
        settings_taken: the model settings that a run of it can be given: those that all models
            take which it may ask. None where its graph, or that of an agent which works for it,
            brings models of its own.
    """

    graph: Graph
    callers: Sequence[Caller]
    settings_taken: frozenset[str]


def build_agent(
    agent: Agent,
    context: ToolContext,
    models: Models,
    memory: Memory | BaseCheckpointSaver[Any] | None,
) -> BuiltAgent:
    """Make the agent's graph, ready to run, with those of the agents that work for it.

    Args:
        agent: the definition.
        context: what its tools are made with.
        models: where its model is found.
        memory: where conversations are kept, searched and found again. With a checkpointer alone
            they are kept, and what does not fit into the window is not shown; without either
            nothing is kept.

    Raises:
        UnknownNameError: the graph, the model, a tool or an agent has an unknown name.
        ConfigError: one of them cannot be used as it is configured.
    """
    builder = _Builder(context, models, memory)
    graph = builder.graph(agent, ())
    taken = reduce(frozenset.intersection, builder.taken, ALL)
    return BuiltAgent(graph, list(builder.callers.values()), taken)


@dataclass(frozen=True)
class _Builder:
    context: ToolContext
    models: Models
    memory: Memory | BaseCheckpointSaver[Any] | None
    taken: list[frozenset[str]] = field(default_factory=list)
    callers: dict[str, Caller] = field(default_factory=dict)
    _made: dict[str, Colleague] = field(default_factory=dict)

    def graph(self, agent: Agent, above: tuple[str, ...], *, is_alone: bool = False) -> Graph:
        """Return an agent's graph.

        Args:
            agent: the agent.
            above: the agents it works for, the first one outermost; what it does is kept with
                their graph.
            is_alone: whether it sees a task and nothing of the conversation.
        """
        context, memory = self.context, self.memory
        model = self._model(agent.model or context.settings.model)
        tools = build_tools(agent.tools, context)
        tools += [client_tool(t.name, t.description, t.parameters) for t in agent.client_tools]
        # A graph of the project may call models and tools of its own.
        if agent.graph not in pattern_names() or not all(isinstance(t, Tool) for t in tools):
            instrument()
        saver = memory.saver if isinstance(memory, Memory) else memory
        parts = GraphParts(
            model=model.chat,
            fallbacks=model.fallbacks,
            tools=tools,
            colleagues=[self._colleague(name, (*above, agent.name)) for name in agent.agents],
            prompt=agent.prompt,
            prompts=Prompts(context.project),
            window=self._window(agent, model, None if is_alone else memory),
            output=agent.output,
            checkpointer=None if above else saver,
            store=memory.store if isinstance(memory, Memory) else None,
            name=agent.name,
            calls_in_text=_calls_in_text,
            model_named=self._model,
        )
        graph = build_graph(agent.graph, parts, agent.options, context.project)
        if brings_own_models(agent.graph, context.project):
            self.taken.append(frozenset())
        self.callers[agent.name] = Caller(agent, tools, graph)
        return graph

    def _model(self, name: str) -> ResolvedModel:
        found = self.models.resolve(name)
        for chat in (found.chat, *found.fallbacks):
            info = info_of(chat)
            self.taken.append(settings_taken(chat, info.name, info.takes))
        return found

    def _colleague(self, name: str, above: tuple[str, ...]) -> Colleague:
        if name in above:
            raise ConfigError(
                f"the agents {' → '.join((*above, name))} work for each other in a circle.",
                hint=f"Take {name!r} out of the 'agents' of {above[-1]!r}.",
            )
        if name not in self._made:
            agent = find_agent(name, self.context.project)
            graph = self.graph(agent, above)
            alone = self.graph(agent, above, is_alone=True)
            self._made[name] = Colleague(name, agent.description, graph, alone)
        return self._made[name]

    def _window(self, agent: Agent, model: ResolvedModel, memory: object) -> ContextWindow:
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
            embeddings=self.models.embeddings(chosen.embeddings),
            facts=chosen.facts,
        )


def _calls_in_text(chat: BaseChatModel) -> bool:
    return info_of(chat).calls_in_text or cannot_call_tools(chat)
