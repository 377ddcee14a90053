"""What every reasoning graph is made of."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

from treadle.core.errors import ConfigError
from treadle.graphs._prompts import Prompts
from treadle.memory.window import ContextWindow
from treadle.tools import OTHER_NAME

Graph = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled LangGraph graph."""

Middleware = AgentMiddleware[Any, Any]


def cannot_call_tools(model: BaseChatModel) -> bool:
    """Tell whether LangChain's class for the model has no interface for tools at all."""
    return type(model).bind_tools is BaseChatModel.bind_tools


@dataclass(frozen=True)
class Colleague:
    """Another agent, which can be given work.

    Attributes:
        name: its name.
        description: what it is for, in a sentence.
        graph: goes on with a conversation, and is kept with the graph around it.
        alone: the same, for a task that is no conversation: memory adds nothing to it.
    """

    name: str
    description: str
    graph: Graph
    alone: Graph


class NamedModel(Protocol):
    """A model that was found by its name."""

    @property
    def chat(self) -> BaseChatModel:
        """The model."""

    @property
    def fallbacks(self) -> Sequence[BaseChatModel]:
        """Models asked in order when it fails."""

    @property
    def context_tokens(self) -> int | None:
        """How many tokens fit in a request, where that is known."""


def no_models(name: str) -> NamedModel:
    """Find no model.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(
        f"no model is found by its name here, so not {name!r} either.",
        hint="Give GraphParts a 'model_named', or let the node use the graph's own model.",
    )


@dataclass(frozen=True)
class GraphParts:
    """What every reasoning graph is made of.

    Raises:
        ConfigError: two tools have the same name.

    Attributes:
        model: the reasoning engine.
        fallbacks: models asked in order when ``model`` fails.
        tools: what it may call.
        colleagues: agents that it can give work to.
        prompt: the agent's own instructions; they come before the pattern's.
        prompts: the patterns' own instructions, which a project may replace.
        window: what the model is shown of the conversation.
        output: a JSON schema the answer must fit; plain text without one.
        checkpointer: where the conversation is kept; nothing is kept without one.
        store: what is known across threads, for tools that remember; nothing without one.
        name: the graph's name, as LangGraph shows it.
        calls_in_text: tells of a model whether it writes its tool calls as text, because it cannot
            call tools.
        model_named: finds a model for a part of the graph that names one.
        project: the project's folder, where functions named as ``path.py:name`` are found.
    """

    model: BaseChatModel
    fallbacks: Sequence[BaseChatModel] = ()
    tools: Sequence[BaseTool] = ()
    colleagues: Sequence[Colleague] = ()
    prompt: str = ""
    prompts: Prompts = field(default_factory=Prompts)
    window: ContextWindow = field(default_factory=ContextWindow)
    output: dict[str, Any] | None = None
    checkpointer: BaseCheckpointSaver[Any] | None = None
    store: BaseStore | None = None
    name: str = "agent"
    calls_in_text: Callable[[BaseChatModel], bool] = cannot_call_tools
    model_named: Callable[[str], NamedModel] = no_models
    project: Path = Path()

    def __post_init__(self) -> None:
        check_names(self.tools)


def check_names(tools: Sequence[BaseTool]) -> None:
    """Refuse tools of the same name: a call would reach one of them only.

    Raises:
        ConfigError: there are such.
    """
    for name, count in Counter(tool.name for tool in tools).items():
        if count > 1:
            raise ConfigError(f"{count} tools are named {name!r}.", hint=OTHER_NAME)
