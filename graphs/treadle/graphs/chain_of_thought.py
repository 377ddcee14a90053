"""Chain of thought: think first, then answer, with the reasoning kept apart.

Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", NeurIPS 2022,
https://arxiv.org/abs/2201.11903
"""

from typing import Any

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, ConfigDict

from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import PatternState, ThoughtState, without_tools


class ChainOfThoughtOptions(BaseModel):
    """The `chain_of_thought` graph has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def chain_of_thought(parts: GraphParts, options: ChainOfThoughtOptions | None = None) -> Graph:
    """Return a graph that thinks, then answers: two model calls a turn, repeated attempts aside.

    Args:
        parts: the model and the rest; it calls no tools.
        options: none so far.

    Raises:
        ConfigError: when tools are given.
    """
    reasoner = without_tools(parts, "chain_of_thought")

    async def think(state: PatternState) -> dict[str, Any]:
        shown = await reasoner.shown(state, "think")
        said = await reasoner.think(shown.prompt)
        stopped = said["stopped"] or None
        return {**shown.update, "reasoning": said["text"], "stopped": stopped}

    async def answer(state: PatternState) -> dict[str, Any]:
        reasoning, stopped = state["reasoning"], state["stopped"]
        ending = await reasoner.answer(state, "answer", reasoning, best=reasoning, stopped=stopped)
        return {**ending, "stopped": None}

    graph = StateGraph(PatternState, output_schema=ThoughtState)
    graph.add_node("think", think)
    graph.add_node("answer", answer)
    graph.add_edge(START, "think")
    graph.add_edge("think", "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)
