"""Chain of thought: think first, then answer, with the reasoning kept apart.

Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", NeurIPS 2022,
https://arxiv.org/abs/2201.11903
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Required, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, ConfigDict

from treadle.core.boundary import thinking
from treadle.core.errors import BrokenAnswerError, BudgetExceededError, ConfigError, ModelError
from treadle.core.headroom import headroom
from treadle.graphs._guards import STOPPED, out_of_room, partial_answer
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._prompts import join, prompt
from treadle.memory.window import Composed, WindowState, running_thread


class ChainOfThoughtOptions(BaseModel):
    """The `chain_of_thought` graph has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ThoughtState(WindowState):
    """The conversation, and the reasoning behind its last answer.

    Attributes:
        reasoning: what the model worked out before it answered the last question.
        structured_response: the answer as the output schema has it, when there is one.
    """

    reasoning: str
    structured_response: Any


class _Answer(TypedDict, total=False):
    messages: Required[list[BaseMessage]]
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

    async def shown(state: ThoughtState, system: SystemMessage, output: object = None) -> Composed:
        return await parts.window.compose(
            state, thread_id=running_thread(), system=system, output=output
        )

    async def think(state: ThoughtState) -> dict[str, Any]:
        reasoning = ""
        if out_of_room(await headroom()):
            return {"reasoning": reasoning}  # The one call that is left is for the answer.
        system = SystemMessage(join(parts.prompt, prompt("think")))
        composed = await shown(state, system)
        with thinking(), suppress(BudgetExceededError):  # The answer may fit.
            model = _robust(parts.model, parts.fallbacks)
            reasoning = (await model.ainvoke([system, *composed.messages])).text
        return {"reasoning": reasoning, **composed.update(goes_on=True)}

    async def answer(state: ThoughtState) -> dict[str, Any]:
        # A character a token is a quarter of the window: the conversation needs the rest.
        reasoning = state["reasoning"][: parts.window.tokens]
        system = SystemMessage(join(parts.prompt, prompt("answer"), reasoning))
        composed = await shown(state, system, parts.output)
        update = composed.update()
        reply = await _answer(parts, [system, *composed.messages], state["reasoning"])
        return {**update, **reply, "messages": [*update.get("messages", ()), *reply["messages"]]}

    graph = StateGraph(ThoughtState)
    graph.add_node("think", think)
    graph.add_node("answer", answer)
    graph.add_edge(START, "think")
    graph.add_edge("think", "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


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


async def _answer(parts: GraphParts, messages: list[BaseMessage], reasoning: str) -> _Answer:
    if parts.output is not None:
        return await _structured(parts, messages)
    try:
        return {"messages": [await _robust(parts.model, parts.fallbacks).ainvoke(messages)]}
    except BudgetExceededError as error:
        stopped = {STOPPED: f"budget: {error.message}"}
        return {"messages": [AIMessage(reasoning or partial_answer(()), response_metadata=stopped)]}


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
