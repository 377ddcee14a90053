"""Chain of thought: think first, then answer, with the reasoning kept apart.

Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", NeurIPS 2022,
https://arxiv.org/abs/2201.11903
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel, ConfigDict

from treadle.core.boundary import thinking
from treadle.core.errors import BrokenAnswerError, BudgetExceededError, ConfigError, ModelError
from treadle.graphs._guards import STOPPED
from treadle.graphs._history import fit, repair
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._prompts import join, prompt


class ChainOfThoughtOptions(BaseModel):
    """The `chain_of_thought` graph has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ThoughtState(MessagesState):
    """The conversation, and the reasoning behind its last answer.

    Attributes:
        reasoning: what the model worked out before it answered the last question.
        structured_response: the answer as the output schema has it, when there is one.
    """

    reasoning: str
    structured_response: Any


class _Thought(TypedDict):
    reasoning: str


class _Answer(TypedDict, total=False):
    messages: list[BaseMessage]
    structured_response: Any


def chain_of_thought(parts: GraphParts, options: ChainOfThoughtOptions | None = None) -> Graph:
    """Return a graph that thinks, then answers: two model calls a turn, repeated attempts aside.

    Args:
        parts: the model and the rest; it calls no tools.
        options: none so far.

    Raises:
        ConfigError: when tools are given.
    """
    if parts.tools:
        raise ConfigError(
            "the graph 'chain_of_thought' calls no tools.", hint="Use the graph 'react' for tools."
        )

    def shown(state: ThoughtState) -> list[BaseMessage]:
        return fit(repair(state["messages"]), parts.window_tokens)

    async def think(state: ThoughtState) -> _Thought:
        system = SystemMessage(join(parts.prompt, prompt("think")))
        with thinking():
            reasoning = await _robust(parts.model, parts.fallbacks).ainvoke([system, *shown(state)])
        return {"reasoning": reasoning.text}

    async def answer(state: ThoughtState) -> _Answer:
        system = SystemMessage(join(parts.prompt, prompt("answer"), state["reasoning"]))
        messages = [system, *shown(state)]
        if parts.output is not None:
            return await _structured(parts, messages)
        try:
            reply = await _robust(parts.model, parts.fallbacks).ainvoke(messages)
        except BudgetExceededError as error:
            reply = AIMessage(
                state["reasoning"], response_metadata={STOPPED: f"budget: {error.message}"}
            )
        return {"messages": [reply]}

    graph = StateGraph(ThoughtState)
    graph.add_node("think", think)
    graph.add_node("answer", answer)
    graph.add_edge(START, "think")
    graph.add_edge("think", "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, name=parts.name)


def _robust(model: BaseChatModel, fallbacks: Sequence[BaseChatModel]) -> Runnable[Any, AIMessage]:
    """Return the model with broken answers asked for again and its fallbacks behind it."""
    first, *others = (
        candidate.with_retry(
            retry_if_exception_type=(BrokenAnswerError,),
            stop_after_attempt=3,
            exponential_jitter_params={"initial": 0.2, "jitter": 0.1},
        )
        for candidate in (model, *fallbacks)
    )
    return first.with_fallbacks(others) if others else first


async def _structured(parts: GraphParts, messages: list[BaseMessage]) -> _Answer:
    assert parts.output is not None  # noqa: S101 - the caller checked
    model = parts.model.with_structured_output(parts.output, include_raw=True)
    result = await model.ainvoke(messages)
    assert isinstance(result, dict)  # noqa: S101 - include_raw returns one
    if result["parsing_error"] is not None or result["parsed"] is None:
        raise ModelError(
            f"The model's answer does not fit the output schema: {result['parsing_error']}",
            hint="Ask again, simplify the schema, or use a stronger model.",
        )
    return {"messages": [result["raw"]], "structured_response": result["parsed"]}
