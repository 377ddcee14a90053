"""Map and reduce: notes from each part of a long text in parallel, combined into one answer.

Dean and Ghemawat, "MapReduce: Simplified Data Processing on Large Clusters", OSDI 2004, for the
shape.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import (
    Branch,
    PatternState,
    Reasoner,
    ThoughtState,
    gather,
    so_far,
    within,
)
from treadle.graphs._splitting import split_text
from treadle.graphs._worker import Worker
from treadle.memory.window import since_last_question

_MAX_QUESTION_CHARS = 1_000


class MapReduceOptions(BaseModel):
    """Options of the `map_reduce` graph.

    Attributes:
        part_chars: how long a part may be; never longer than half of the window.
        max_parts: how many parts are read; the answer says when there were more.
        fan_in: how many notes are combined at once.
        rounds: rounds of tool calls to find the documents; needs tools.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    part_chars: int = Field(default=8_000, ge=500, le=200_000)
    max_parts: int = Field(default=32, ge=1, le=500)
    fan_in: int = Field(default=8, ge=2, le=50)
    rounds: int = Field(default=4, ge=1, le=50)


class _Part(Branch):
    otherwise: str
    """The note that stands where the budget does not allow to ask."""


class _State(PatternState, total=False):
    notes: Annotated[list[str], gather]


def map_reduce(parts: GraphParts, options: MapReduceOptions | None = None) -> Graph:
    """Return a graph that reads a text longer than its window, part by part, and answers.

    The text is what the question holds and what the tools found for it. A turn makes ``f + m +
    r(m) + 1`` model calls, repeated attempts aside. ``f`` is 0 without tools and otherwise one more
    than the rounds of tool calls, of which there are at most ``rounds``. ``m`` is the number of
    parts, at most ``max_parts``; 0 when all fits into one. ``r(m)`` is 0 where ``m <= fan_in``,
    and otherwise ``ceil(m / fan_in) + r(ceil(m / fan_in))``. A part that says nothing to the
    question leaves no note, and less to combine.

    Args:
        parts: the model, the tools that find documents, and the rest.
        options: its bounds.
    """
    bounds = options or MapReduceOptions()
    part_chars = min(bounds.part_chars, parts.window.tokens * 2)
    reasoner = Reasoner(parts)
    worker = Worker(parts, bounds.rounds) if parts.tools else None

    def asked(name: str, text: str, question: str, otherwise: str = "") -> Send:
        prompt = [reasoner.system(name), HumanMessage(f"{text}\n\n{question}")]
        return Send("read", _Part(prompt=prompt, otherwise=otherwise))

    async def split(state: _State) -> Command[Literal["read", "answer"]]:
        update: dict[str, Any] = {"notes": None, "stopped": None}
        turn = list(since_last_question(state["messages"]))
        if worker:
            system = SystemMessage(parts.prompts("find"))
            shown = await reasoner.composed(state, system, tools=parts.tools)
            found = await worker.run(shown.prompt)
            messages = [*shown.update.get("messages", ()), *found.steps]
            update = {**update, **shown.update, "messages": messages}
            update["stopped"] = found.stopped or None
            turn += found.steps
        pieces = split_text(_documents(turn), part_chars)
        if len(pieces) < 2 or update["stopped"]:
            return Command(update=update, goto="answer")
        if len(pieces) > bounds.max_parts:
            read = f"only the first {bounds.max_parts} of {len(pieces)} parts were read"
            update["stopped"] = f"parts: {read}"
        sends = [asked("read_part", one, _question(turn)) for one in pieces[: bounds.max_parts]]
        return Command(update=update, goto=sends)

    async def read(state: _Part) -> dict[str, Any]:
        said = await reasoner.think(state["prompt"])
        text = state["otherwise"] if said["stopped"] else said["text"]
        return {"notes": _noted(text), "stopped": said["stopped"]}

    async def gathered(state: _State) -> Command[Literal["read", "answer"]]:
        notes = state["notes"]
        if len(notes) <= bounds.fan_in or state["stopped"].startswith("budget:"):
            return Command(goto="answer")
        question = _question(since_last_question(state["messages"]))
        groups = [notes[at : at + bounds.fan_in] for at in range(0, len(notes), bounds.fan_in)]
        texts = ["\n\n".join(within(group, part_chars)) for group in groups]
        sends = [asked("combine", text, question, otherwise=text) for text in texts]
        return Command(update={"notes": None}, goto=sends)

    async def answer(state: _State) -> dict[str, Any]:
        notes = state["notes"]
        ending = await reasoner.answer(
            state,
            "conclude",
            "\n".join(within(notes, reasoner.room)),
            best=so_far(notes),
            stopped=state["stopped"],
        )
        return {**ending, "notes": None, "stopped": None}

    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("split", split)
    graph.add_node("read", read, input_schema=_Part)
    graph.add_node("gather", gathered)
    graph.add_node("answer", answer)
    graph.add_edge(START, "split")
    graph.add_edge("read", "gather")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


def _documents(turn: Sequence[BaseMessage]) -> list[str]:
    """Return the texts of a turn that are to be read: the tools' results, or else the question."""
    found = [str(m.text) for m in turn if isinstance(m, ToolMessage) and m.status != "error"]
    return found or [str(turn[0].text)]


def _question(turn: Sequence[BaseMessage]) -> str:
    """Return the question; where it holds the text itself, its beginning and end."""
    text = str(turn[0].text).strip()
    if len(text) <= 2 * _MAX_QUESTION_CHARS:
        return f"The question: {text}"
    head, tail = text[:_MAX_QUESTION_CHARS], text[-_MAX_QUESTION_CHARS:]
    return f"The question stands in this message, whose middle is the text:\n{head}\n[…]\n{tail}"


def _noted(text: str) -> list[str]:
    note = text.strip()
    return [] if not note or note.casefold().strip(" .*\"'") == "nothing" else [note]
