"""The graphs of a project's agents, each made once."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents import Agent, BuiltAgent, Rule, build_agent, find_agent
from treadle.agents.models import Models
from treadle.core.errors import ConfigError
from treadle.core.model_settings import ModelSettingError, ModelSettings
from treadle.graphs import Graph, versions
from treadle.memory.bundle import Memory
from treadle.runtime._offline import OfflineMemory
from treadle.runtime._tasks import uninterrupted
from treadle.runtime.approvals.arguments import tools_in
from treadle.runtime.approvals.rules import check_policy
from treadle.tools import ToolContext, build_tools

MAX_LOADED = 256
"""How many agents' graphs a runtime keeps; the oldest goes first, and is made again when asked."""


class AgentGraphs:
    """Makes agents' graphs.

    Args:
        context: what tools are made with.
        models: where models are found.
        memory: what the graphs remember in.
    """

    def __init__(self, context: ToolContext, models: Models, memory: Memory) -> None:
        self._context = context
        self._models = models
        self._memory = memory
        self._loaded: dict[str, tuple[Agent, BuiltAgent]] = {}
        self._prompts: dict[str, Mapping[str, str]] = {}
        self._loading = asyncio.Lock()

    def find(self, name: str) -> Agent:
        """Return the agent of a name, as its file says now.

        Raises:
            UnknownNameError: there is none.
            ConfigError: its file is wrong.
        """
        return find_agent(name, self._context.project)

    async def ready(self, agent: str | Agent) -> None:
        """Load a named agent's graph in a thread, where it is not loaded yet.

        What a project's modules import takes seconds, in which the event loop has other work:
        leases are renewed on it. One is loaded at a time; errors are as for `load`.
        """
        if not isinstance(agent, str) or agent in self._loaded:
            return
        async with self._loading:
            if agent not in self._loaded:
                await uninterrupted(asyncio.to_thread(self._load, agent))

    def load(self, agent: str | Agent) -> tuple[Agent, Graph]:
        """Return an agent and its graph, which is made once for each definition.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        found, built = self._load(agent)
        return found, built.graph

    def settings_taken(self, agent: str | Agent) -> frozenset[str]:
        """Return which model settings a run of an agent can be given; errors as for `load`."""
        return self._load(agent)[1].settings_taken

    def check_settings(self, agent: Agent, settings: ModelSettings) -> None:
        """See that a run of an agent can be given the settings.

        Raises:
            ModelSettingError: one of its models cannot be given one of them.
        """
        for name in settings.given():
            if name not in self.settings_taken(agent):
                raise ModelSettingError(
                    name,
                    f"a model of the agent {agent.name!r} does not take it",
                    hint="Leave it out, or set it where the model is made.",
                )

    def _load(self, agent: str | Agent) -> tuple[Agent, BuiltAgent]:
        if isinstance(agent, str) and agent in self._loaded:
            return self._loaded[agent]
        found = self.find(agent) if isinstance(agent, str) else agent
        key = agent if isinstance(agent, str) else found.model_dump_json()
        if key not in self._loaded:
            self._check_budget(found)
            built = build_agent(found, self._context, self._models, self._memory)
            for caller in built.callers:
                check_policy(caller, self._context)
            if len(self._loaded) >= MAX_LOADED:
                self._loaded.pop(next(iter(self._loaded)), None)
            self._loaded[key] = found, built
            self._prompts[found.name] = versions(found.graph, self._context.project)
        return self._loaded[key]

    def dry(self, agent: Agent, saver: BaseCheckpointSaver[Any]) -> Graph:
        """Return a graph of its own for an agent, that remembers in ``saver`` alone."""
        return build_agent(agent, self._context, self._models, OfflineMemory(saver)).graph

    def tools(self, agent: str | Agent) -> list[BaseTool]:
        """Return the tools an agent may call, and those of its own graph."""
        found, graph = self.load(agent)
        return [*build_tools(found.tools, self._context), *tools_in(graph)]

    def prompts(self, agent: Agent) -> Mapping[str, str]:
        """Return the digests of what the agent's graph was made with: prompts, and its file."""
        return self._prompts.get(agent.name, {})

    def policies(self, agent: Agent) -> dict[str, Sequence[Rule]]:
        """Return the rules of all agents that work for this one, by their names."""
        found: dict[str, Sequence[Rule]] = {}
        waiting = list(agent.agents)
        while waiting:
            name = waiting.pop()
            if name not in found:
                colleague = self.find(name)
                found[name] = colleague.policy
                waiting += colleague.agents
        return found

    def learning_model(self, agent: Agent) -> BaseChatModel | None:
        """Return what learns facts after the agent's runs; ``None`` where nothing is learned."""
        if not agent.memory.learn:
            return None
        return self._models.resolve(agent.model or self._context.settings.model).chat

    def unpriced_model(self, name: str, *, is_limited: bool) -> str | None:
        """Return a model whose price is not known though a budget in money counts on it.

        Own graphs are not looked into: they may call no models, or others.

        Args:
            name: the agent; those that work for it are looked at as well.
            is_limited: whether there is such a budget beside the agent's own.

        Raises:
            UserError: an unknown name or a wrong definition.
        """
        waiting, seen = [name], set[str]()
        if not is_limited and self.find(name).budget.usd is None:
            return None
        while waiting:
            agent = self.find(waiting.pop())
            model = agent.model or self._context.settings.model
            is_known = ":" in agent.graph and agent.budget.usd is None
            if not is_known and not self._models.is_priced(model):
                return model
            seen.add(agent.name)
            waiting += [one for one in agent.agents if one not in seen]
        return None

    def _check_budget(self, agent: Agent) -> None:
        if agent.budget.usd is None:
            return
        name = agent.model or self._context.settings.model
        if not self._models.is_priced(name):
            raise ConfigError(
                f"the agent {agent.name!r} has a budget in US dollars, and the price of the model "
                f"{name!r} is not known.",
                hint="Set 'price' in a profile under [models] in treadle.toml.",
            )
