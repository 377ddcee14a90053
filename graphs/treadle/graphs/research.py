"""Research: questions, reading in parallel, notes, and an answer that names its sources.

After Shao et al., "Assisting in Writing Wikipedia-like Articles From Scratch with Large Language
Models" (STORM), NAACL 2024, https://arxiv.org/abs/2402.14207, for questions before reading and
reading before writing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.sentences import Span, sentences
from treadle.core.sources import LABEL
from treadle.graphs._cut_short import cut_short
from treadle.graphs._guards import STOPPED, still_out_of_room
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._plans import tool_list
from treadle.graphs._reasoning import (
    Branch,
    PatternState,
    Reasoner,
    ThoughtState,
    gather,
    listed,
    so_far,
    within,
)
from treadle.graphs._worker import Worker
from treadle.memory.window import since_last_question

NO_SOURCE = "[no source]"
"""What stands behind a statement that still names no source when it was asked for one."""


class ResearchOptions(BaseModel):
    """Options of the `research` graph.

    Attributes:
        max_questions: questions that are looked into at once.
        rounds: rounds of tool calls for one question.
        followups: how often it looks whether something is missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_questions: int = Field(default=4, ge=1, le=20)
    rounds: int = Field(default=4, ge=1, le=50)
    followups: int = Field(default=1, ge=0, le=5)


class Note(TypedDict):
    """What was found for a question.

    Attributes:
        question: the question.
        text: what was found, with the labels of its sources.
    """

    question: str
    text: str


class _Question(Branch):
    question: str


class _State(PatternState, total=False):
    notes: Annotated[list[Note], gather]
    looks: int


def research(parts: GraphParts, options: ResearchOptions | None = None) -> Graph:
    """Return a graph that looks into several questions at once and answers with its sources.

    A turn makes ``1 + q + t + v + 1 + c`` model calls, repeated attempts aside: the questions, the
    note on each of the ``q`` questions, one for each of the ``t`` rounds of tool calls, the ``v``
    times it looks what is missing, the answer, and ``c = 1`` where statements of the answer named
    no source, so that it is asked to name them or to leave them out. ``v`` is at most
    ``followups``, ``q`` at most ``max_questions * (v + 1)`` and ``t`` at most ``q * rounds``. A
    statement that names no source even then is marked. With an output schema ``c`` is 0 and nothing
    is marked.

    Args:
        parts: the model, the tools and the rest.
        options: its bounds.
    """
    nodes = _Nodes(parts, options or ResearchOptions())
    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("question", nodes.question, destinations=("read", "answer"))
    graph.add_node("read", nodes.read, input_schema=_Question)
    graph.add_node("look", nodes.look, destinations=("read", "answer"))
    graph.add_node("answer", nodes.answer)
    graph.add_edge(START, "question")
    graph.add_edge("read", "look")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


class _Nodes:
    def __init__(self, parts: GraphParts, bounds: ResearchOptions) -> None:
        self._parts = parts
        self._bounds = bounds
        self._reasoner = Reasoner(parts)
        self._worker = Worker(parts, bounds.rounds)

    async def question(self, state: _State) -> Command[Any]:
        tools = tool_list(self._parts.tools)
        shown = await self._reasoner.shown(state, "research_questions", tools)
        said = await self._reasoner.think(shown.prompt)
        whole = str(since_last_question(state["messages"])[0].text)
        questions = listed(said["text"], self._bounds.max_questions) or [whole]
        update = {**shown.update, "notes": None, "looks": 0, "stopped": said["stopped"] or None}
        return Command(update=update, goto="answer" if said["stopped"] else _sent(questions))

    async def read(self, state: _Question) -> dict[str, Any]:
        if reason := await still_out_of_room():
            return {"stopped": reason}
        found = await self._worker.run(state["prompt"])
        note = Note(question=state["question"], text=found.text)
        return {"messages": found.steps, "notes": [note], "stopped": found.stopped}

    async def look(self, state: _State) -> Command[Any]:
        if state["stopped"] or state["looks"] >= self._bounds.followups:
            return Command(goto="answer")
        notes = _noted(state, self._reasoner.room)
        shown = await self._reasoner.shown(state, "research_gaps", notes)
        said = await self._reasoner.think(shown.prompt)
        questions = listed(said["text"], self._bounds.max_questions)
        known = {note["question"] for note in state["notes"]}
        fresh = [one for one in questions if one not in known]
        update = {**shown.update, "looks": state["looks"] + 1, "stopped": said["stopped"]}
        return Command(update=update, goto=_sent(fresh) if fresh else "answer")

    async def answer(self, state: _State) -> dict[str, Any]:
        notes = _noted(state, self._reasoner.room)
        best = so_far([note["text"] for note in state["notes"]])
        ending = await self._reasoner.answer(
            state, "conclude", notes, best=best, stopped=state["stopped"]
        )
        if self._parts.output is None and LABEL.search(notes):
            ending["messages"] = await self._sourced(state, notes, ending["messages"])
        return {**ending, "notes": None, "stopped": None}

    async def _sourced(self, state: _State, notes: str, messages: Sequence[Any]) -> Sequence[Any]:
        """Ask once for the sources that the answer leaves out, and mark what has none even then."""
        *others, reply = messages
        missing = unsourced(reply.text)
        if not missing or cut_short(reply) or STOPPED in reply.response_metadata:
            return messages
        draft = "\n".join([notes, "", "The draft:", reply.text, "", "Without a source:", *missing])
        shown = await self._reasoner.shown(state, "research_sources", draft)
        said = await self._reasoner.think(shown.prompt, may_be_last=True)
        text = said["text"].strip() or reply.text
        marked = reply.model_copy(update={"content": mark_unsourced(text)})
        return [*others, marked]


def _sent(questions: Sequence[str]) -> list[Send]:
    return [Send("read", _Question(question=one, prompt=[HumanMessage(one)])) for one in questions]


def _noted(state: Mapping[str, Any], room: int) -> str:
    texts = [f"{note['question']}\n{note['text']}" for note in state["notes"]]
    return "\n\n".join(within(texts, room))


_NO_CLAIM = re.compile(r"^\s*(?:#|\||```|>)|[:?]\s*$")
_LEAST_WORDS = 4


def unsourced(text: str) -> list[str]:
    """Return the statements of an answer that carry no label: whole sentences of some length.

    Headings, tables, quotations, questions and sentences that only introduce what follows are not
    looked at.
    """
    return [text[start:end] for start, end in _unsourced(text)]


def mark_unsourced(text: str) -> str:
    """Return the answer with `NO_SOURCE` behind each statement that carries no label."""
    pieces, at = [], 0
    for _, end in _unsourced(text):
        pieces.append(f"{text[at:end]} {NO_SOURCE}")
        at = end
    return "".join([*pieces, text[at:]])


def _unsourced(text: str) -> list[Span]:
    found = []
    for start, end in sentences(text, with_labels=True):
        said = text[start:end]
        line = text[text.rfind("\n", 0, start) + 1 : end]
        is_claim = len(said.split()) >= _LEAST_WORDS and not _NO_CLAIM.search(said)
        if is_claim and not _NO_CLAIM.match(line) and not LABEL.search(said):
            found.append((start, end))
    return found
