"""Tree of thoughts: several next steps, judged, and only the best ways followed.

Yao et al., "Tree of Thoughts: Deliberate Problem Solving with Large Language Models",
NeurIPS 2023, https://arxiv.org/abs/2305.10601
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import (
    Branch,
    PatternState,
    ThoughtState,
    gather,
    listed,
    so_far,
    within,
    without_tools,
)


class TreeOfThoughtsOptions(BaseModel):
    """Options of the `tree_of_thoughts` graph.

    Attributes:
        breadth: next steps that are proposed for a way.
        depth: steps that a way has.
        beam: ways that are followed further after each step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    breadth: int = Field(default=3, ge=1, le=10)
    depth: int = Field(default=2, ge=1, le=10)
    beam: int = Field(default=2, ge=1, le=10)


Way = list[str]
"""The steps of one way to work out a question, in their order."""


class _Sprout(Branch):
    way: Way


class _State(PatternState, total=False):
    beam: list[Way]
    candidates: Annotated[list[Way], gather]
    level: int


def tree_of_thoughts(parts: GraphParts, options: TreeOfThoughtsOptions | None = None) -> Graph:
    """Return a graph that follows several ways of reasoning and answers from the best.

    A turn makes one call for each way that is followed, one a level to judge them where there is
    more than one, and one for the answer. Repeated attempts aside, and where the model proposes as
    many steps as it is asked for, that is ``1 + sum(w[k] + (w[k] * breadth > 1) for k in
    range(depth))`` with ``w[0] = 1`` and ``w[k + 1] = min(beam, w[k] * breadth)``; where it
    proposes fewer, less.

    Args:
        parts: the model and the rest; it calls no tools.
        options: its bounds.

    Raises:
        ConfigError: when tools are given.
    """
    bounds = options or TreeOfThoughtsOptions()
    reasoner = without_tools(parts, "tree_of_thoughts")

    async def send(state: _State, beam: Sequence[Way], update: dict[str, Any]) -> Command[Any]:
        """Follow the ways by one more step."""
        asked = [
            f"Propose {bounds.breadth} next steps. The way so far:\n\n"
            f"{_shown_way(within(way, reasoner.room - 500))}"
            for way in beam
        ]
        shown = await reasoner.shown(state, "expand", max(asked, key=len))
        prompts = [[reasoner.system("expand", one), *shown.messages] for one in asked]
        return Command(
            update={**update, **shown.update, "beam": list(beam), "candidates": None},
            goto=[
                Send("expand", _Sprout(prompt=prompt, way=way))
                for prompt, way in zip(prompts, beam, strict=True)
            ],
        )

    async def start(state: _State) -> Command[Literal["expand"]]:
        return await send(state, [[]], {"level": 0, "stopped": None})

    async def expand(state: _Sprout) -> dict[str, Any]:
        said = await reasoner.think(state["prompt"])
        text = said["text"].strip()
        steps = listed(text, bounds.breadth) or ([text] if text else [])
        return {
            "candidates": [[*state["way"], step] for step in steps],
            "stopped": said["stopped"],
        }

    async def judge(state: _State) -> Command[Literal["expand", "answer"]]:
        candidates, level = state["candidates"], state["level"] + 1
        marks: dict[int, float] = {}
        update: dict[str, Any] = {"level": level}
        if len(candidates) > 1 and not state["stopped"]:
            ways = within([_shown_way(way) for way in candidates], reasoner.room - 500)
            numbered = [f"Way {number}:\n{way}" for number, way in enumerate(ways, 1)]
            shown = await reasoner.shown(state, "rank", "\n\n".join(numbered))
            said = await reasoner.think(shown.prompt)
            marks = _marks(said["text"])
            update = {**update, **shown.update, "stopped": said["stopped"]}
        order = sorted(range(len(candidates)), key=lambda place: -marks.get(place + 1, 0))
        beam = [candidates[place] for place in order[: bounds.beam]]
        if not beam or level == bounds.depth or state["stopped"] or update.get("stopped"):
            beam = beam or state["beam"]
            return Command(update={**update, "beam": beam, "candidates": None}, goto="answer")
        return await send(state, beam, update)

    async def answer(state: _State) -> dict[str, Any]:
        best = state["beam"][0]
        ending = await reasoner.answer(
            state,
            "answer",
            _shown_way(within(best, reasoner.room)),
            best=so_far(best),
            stopped=state["stopped"],
        )
        return {**ending, "beam": [], "stopped": None}

    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("start", start)
    graph.add_node("expand", expand, input_schema=_Sprout)
    graph.add_node("judge", judge)
    graph.add_node("answer", answer)
    graph.add_edge(START, "start")
    graph.add_edge("expand", "judge")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


def _shown_way(way: Sequence[str]) -> str:
    return "\n".join(f"Step {number}: {step}" for number, step in enumerate(way, 1))


_MARK = re.compile(
    r"^\W*(?:way )?(\d{1,3})\W*:\W*(\d{1,2}(?:\.\d+)?)", re.IGNORECASE | re.MULTILINE
)


def _marks(text: str) -> dict[int, float]:
    """Return the mark of each way by its number, as far as the model gave one."""
    return {int(number): float(mark) for number, mark in _MARK.findall(text)}
