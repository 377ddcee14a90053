"""Reflexion: act, criticise the draft, and try again with the lessons.

Shinn et al., "Reflexion: Language Agents with Verbal Reinforcement Learning", NeurIPS 2023,
https://arxiv.org/abs/2303.11366
"""

import re
from typing import Any

from langchain_core.messages import AIMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.headroom import headroom
from treadle.graphs._guards import out_of_room, partial_answer
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._prompts import join
from treadle.graphs._reasoning import PatternState, Reasoner, ThoughtState, ended, within
from treadle.graphs._worker import Worker
from treadle.memory.window import since_last_question

_KEPT_LESSONS = 5


class ReflexionOptions(BaseModel):
    """Options of the `reflexion` graph.

    Attributes:
        retries: how often it may try again.
        rounds: rounds of tool calls in a turn, all attempts together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retries: int = Field(default=2, ge=0, le=10)
    rounds: int = Field(default=8, ge=1, le=100)


class ReflexionState(ThoughtState):
    """The conversation, and what was learned from the drafts in it.

    Attributes:
        lessons: the last lessons, oldest first; they are kept for the thread's later questions.
    """

    lessons: list[str]


class _State(PatternState, total=False):
    lessons: list[str]
    draft: str
    cut: str
    earlier: str
    attempts: int
    accepted: bool


def reflexion(parts: GraphParts, options: ReflexionOptions | None = None) -> Graph:
    """Return a graph that drafts an answer with its tools, criticises it and tries again.

    A turn makes ``t + a + c`` model calls, repeated attempts aside: one for each of the ``t``
    rounds of tool calls, at most ``rounds``; one for the draft of each of the ``a`` attempts, at
    most ``retries + 1``; and ``c = min(a, retries)`` to criticise a draft. The last attempt is not
    criticised, and a draft that repeats the one before it is the last. With an output schema it is
    one call more.

    Args:
        parts: the model, the tools and the rest.
        options: its bounds.
    """
    nodes = _Nodes(parts, options or ReflexionOptions())
    graph = StateGraph(_State, output_schema=ReflexionState)
    graph.add_node("begin", nodes.begin)
    graph.add_node("act", nodes.act)
    graph.add_node("criticise", nodes.criticise)
    graph.add_node("finish", nodes.finish)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "act")
    graph.add_conditional_edges("act", nodes.after_act, ["criticise", "finish"])
    graph.add_conditional_edges("criticise", nodes.after_critique, ["act", "finish"])
    graph.add_edge("finish", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


class _Nodes:
    def __init__(self, parts: GraphParts, bounds: ReflexionOptions) -> None:
        self._parts = parts
        self._bounds = bounds
        self._reasoner = Reasoner(parts)
        self._worker = Worker(parts, bounds.rounds)

    async def begin(self, state: _State) -> dict[str, Any]:
        lessons = state.get("lessons", [])
        fresh = {"draft": "", "cut": "", "earlier": "", "attempts": 0, "accepted": False}
        return {**fresh, "lessons": lessons, "stopped": None}

    async def act(self, state: _State) -> dict[str, Any]:
        if state["draft"] and (reason := out_of_room(await headroom())):
            return {"stopped": reason}
        told = SystemMessage(_told(state, self._parts.prompts("retry"), self._reasoner.room))
        shown = await self._reasoner.composed(state, told, tools=self._parts.tools)
        found = await self._worker.run(shown.prompt if told.text else shown.messages)
        if found.stopped and state["draft"]:  # A whole draft is better than what was cut short.
            return {**shown.update, "stopped": found.stopped}
        return {
            **shown.update,
            "messages": [*shown.update.get("messages", ()), *found.steps],
            "earlier": state["draft"],
            "draft": found.text,
            "cut": found.cut,
            "attempts": state["attempts"] + 1,
            "stopped": found.stopped,
        }

    def after_act(self, state: _State) -> str:
        is_last = state["attempts"] > self._bounds.retries or state["draft"] == state["earlier"]
        return "finish" if state["stopped"] or is_last else "criticise"

    async def criticise(self, state: _State) -> dict[str, Any]:
        shown = await self._reasoner.shown(state, "critique", f"The draft:\n\n{state['draft']}")
        said = await self._reasoner.think(shown.prompt)
        text = said["text"].strip()
        if said["stopped"] or not text or _ACCEPTED.match(text):
            return {**shown.update, "accepted": True, "stopped": said["stopped"]}
        return {**shown.update, "lessons": [*state["lessons"], text][-_KEPT_LESSONS:]}

    def after_critique(self, state: _State) -> str:
        return "finish" if state["accepted"] else "act"

    async def finish(self, state: _State) -> dict[str, Any]:
        draft, stopped = state["draft"], state["stopped"]
        lessons = "\n".join(state["lessons"])
        if self._parts.output is not None:
            ending = await self._reasoner.answer(
                state, "answer", draft, best=draft, stopped=stopped, reasoning=lessons
            )
        else:
            text = draft or partial_answer(since_last_question(state["messages"]))
            ending = ended({}, AIMessage(text), None, stopped or state["cut"], lessons)
        return {**ending, "draft": "", "earlier": "", "stopped": None}


_ACCEPTED = re.compile(r"\W*accept(?:ed)?\b", re.IGNORECASE)


def _told(state: _State, retry: str, room: int) -> str:
    """Return what an attempt is told beside the conversation: the lessons, the draft before it."""
    draft, lessons = state["draft"], [f"- {one}" for one in within(state["lessons"], room // 2)]
    return join(
        retry if draft else "",
        "\n".join(["Lessons from before:", *lessons]) if lessons else "",
        "\n".join(["The earlier draft:", *within([draft], room // 2)]) if draft else "",
    )
