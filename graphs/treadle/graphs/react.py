"""ReAct: reason, act, observe, until there is enough for an answer.

Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models", ICLR 2023,
https://arxiv.org/abs/2210.03629
"""

from collections.abc import Callable
from typing import Literal

from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.errors import BrokenAnswerError
from treadle.graphs._chain import Chain
from treadle.graphs._guards import LoopGuard, ToolFailures
from treadle.graphs._output import OutputRepair
from treadle.graphs._parts import Graph, GraphParts, Middleware, check_names
from treadle.graphs._prompts import join
from treadle.graphs._repair import ToolCallRepair
from treadle.graphs._text_tools import TextTools
from treadle.memory.window import WindowMiddleware
from treadle.tools import read_more_tool


class ReactOptions(BaseModel):
    """Options of the `react` graph.

    Attributes:
        max_steps: rounds of tool calls before it must answer.
        repeat_limit: identical tool calls in one turn before it must answer.
        tool_calls: how the model calls tools: ``native`` by its provider's interface, ``text`` by
            writing what to call, ``auto`` as the model's profile says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_steps: int = Field(default=12, ge=1, le=200)
    repeat_limit: int = Field(default=3, ge=1, le=20)
    tool_calls: Literal["auto", "native", "text"] = "auto"

    def in_text(self, parts: GraphParts) -> Callable[[BaseChatModel], bool]:
        """Return what tells whether a model writes its tool calls as text."""
        if self.tool_calls == "auto":
            return parts.calls_in_text
        return lambda _: self.tool_calls == "text"


def react(parts: GraphParts, options: ReactOptions | None = None) -> Graph:
    """Return a graph in which the model reasons and calls tools until it can answer.

    A turn makes at most ``max_steps + 1`` model calls, not counting repeated attempts; one more
    where a model that writes its tool calls as text has to fill an output schema.

    Args:
        parts: the model, the tools and the rest.
        options: its bounds.

    Raises:
        ConfigError: a tool has the name of one that reads the conversation.
    """
    bounds = options or ReactOptions()
    tools = list(parts.tools)
    if parts.window.transcript is not None:
        tools.append(read_more_tool(parts.window))
        check_names(tools)
    middleware: list[Middleware] = [
        ToolCallRepair(tools),
        LoopGuard(bounds.repeat_limit, bounds.max_steps, parts.prompts),
        WindowMiddleware(parts.window),
        ToolFailures(),
    ]
    if parts.fallbacks:
        middleware.append(ModelFallbackMiddleware(*parts.fallbacks))
    middleware.append(
        ModelRetryMiddleware(retry_on=(BrokenAnswerError,), on_failure="error", initial_delay=0.2)
    )
    middleware.append(TextTools(bounds.in_text(parts), parts.prompts))
    middleware.append(OutputRepair(parts.output, parts.prompts))
    return create_agent(
        parts.model,
        tools,
        system_prompt=join(parts.prompt, parts.prompts("react")),
        middleware=[Chain(middleware, WindowMiddleware.state_schema)],
        response_format=parts.output,
        checkpointer=parts.checkpointer,
        store=parts.store,
        name=parts.name,
    )
