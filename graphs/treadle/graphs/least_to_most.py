"""Least to most: simpler questions first, each with the answers before it.

Zhou et al., "Least-to-Most Prompting Enables Complex Reasoning in Large Language Models",
ICLR 2023, https://arxiv.org/abs/2205.10625
"""

from typing import Any

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, ConfigDict, Field

from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import (
    PatternState,
    ThoughtState,
    listed,
    so_far,
    within,
    without_tools,
)


class LeastToMostOptions(BaseModel):
    """Options of the `least_to_most` graph.

    Attributes:
        max_questions: simpler questions that a question is split into at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_questions: int = Field(default=5, ge=1, le=20)


class _State(PatternState, total=False):
    questions: list[str]
    solved: list[str]


def least_to_most(parts: GraphParts, options: LeastToMostOptions | None = None) -> Graph:
    """Return a graph that splits a question, answers the simpler ones in turn, and then the whole.

    A turn makes ``q + 2`` model calls for ``q`` simpler questions, repeated attempts aside, where
    ``q`` is at most ``max_questions`` and 0 when the model does not split the question.

    Args:
        parts: the model and the rest; it calls no tools.
        options: its bounds.

    Raises:
        ConfigError: when tools are given.
    """
    most = (options or LeastToMostOptions()).max_questions
    reasoner = without_tools(parts, "least_to_most")

    async def split(state: _State) -> dict[str, Any]:
        shown = await reasoner.shown(state, "split_question")
        said = await reasoner.think(shown.prompt)
        return {
            **shown.update,
            "questions": listed(said["text"], most),
            "solved": [],
            "stopped": said["stopped"] or None,
        }

    async def solve(state: _State) -> dict[str, Any]:
        question = state["questions"][len(state["solved"])]
        known = within(state["solved"], reasoner.room - len(question) - 100)
        shown = await reasoner.shown(
            state, "solve_part", "\n\n".join([*known, f"The simpler question: {question}"])
        )
        said = await reasoner.think(shown.prompt)
        if said["stopped"]:
            return {**shown.update, "stopped": said["stopped"]}
        return {**shown.update, "solved": [*state["solved"], f"{question}\n{said['text'].strip()}"]}

    def following(state: _State) -> str:
        done = state["stopped"] or len(state["solved"]) == len(state["questions"])
        return "answer" if done else "solve"

    async def answer(state: _State) -> dict[str, Any]:
        solved = state["solved"]
        ending = await reasoner.answer(
            state,
            "answer",
            "\n\n".join(within(solved, reasoner.room)),
            best=so_far(solved),
            stopped=state["stopped"],
        )
        return {**ending, "questions": [], "solved": [], "stopped": None}

    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("split", split)
    graph.add_node("solve", solve)
    graph.add_node("answer", answer)
    graph.add_edge(START, "split")
    graph.add_conditional_edges("split", following, ["solve", "answer"])
    graph.add_conditional_edges("solve", following, ["solve", "answer"])
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)
