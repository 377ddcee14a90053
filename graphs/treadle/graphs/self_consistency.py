"""Self-consistency: several independent samples, and the answer that most of them give.

Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", ICLR 2023,
https://arxiv.org/abs/2203.11171
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.errors import ModelError
from treadle.graphs._guards import partial_answer
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._reasoning import (
    Branch,
    PatternState,
    Shown,
    ThoughtState,
    ended,
    gather,
    without_tools,
)


class SelfConsistencyOptions(BaseModel):
    """Options of the `self_consistency` graph.

    Attributes:
        samples: how many samples vote at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(default=5, ge=1, le=25)


class Sample(TypedDict):
    """One sample.

    Attributes:
        text: what the model wrote.
        answer: the final answer in it; empty when it casts no vote.
        cut: why it is not whole; empty when it is.
    """

    text: str
    answer: str
    cut: str


class _State(PatternState, total=False):
    samples: Annotated[list[Sample], gather]


def self_consistency(parts: GraphParts, options: SelfConsistencyOptions | None = None) -> Graph:
    """Return a graph that samples answers in parallel and gives the one most samples agree on.

    A turn makes between ``samples // 2 + 1`` and ``samples`` model calls, repeated attempts aside.
    It asks for as many samples at once as could decide the vote, and ends as soon as no other
    answer can win. With equal votes the answer that came first wins.

    Args:
        parts: the model and the rest; it calls no tools. The model must not be set to say the same
            each time.
        options: its bounds.

    Raises:
        ConfigError: when tools are given.
    """
    most = (options or SelfConsistencyOptions()).samples
    reasoner = without_tools(parts, "self_consistency")

    def send(shown: Shown, number: int) -> list[Send]:
        return [Send("sample", Branch(prompt=shown.prompt)) for _ in range(number)]

    async def start(state: _State) -> Command[Literal["sample"]]:
        shown = await reasoner.shown(state, "sample", output=parts.output)
        update = {**shown.update, "samples": None, "stopped": None}
        return Command(update=update, goto=send(shown, missing([], most)))

    async def sample(state: Branch) -> dict[str, Any]:
        said = await reasoner.think(state["prompt"], may_be_last=True, output=parts.output)
        answer = said["text"] if parts.output else final_answer(said["text"])
        return {
            "samples": [Sample(text=said["text"], answer=answer, cut=said["cut"])],
            "stopped": said["stopped"],
        }

    async def vote(state: _State) -> Command[Any]:
        samples, stopped = state["samples"], state["stopped"]
        number = 0 if stopped else missing([one["answer"] for one in samples], most)
        if number:
            shown = await reasoner.shown(state, "sample", output=parts.output)
            return Command(update=shown.update, goto=send(shown, number))
        return Command(
            update={**_elected(parts, samples, stopped), "samples": None, "stopped": None}
        )

    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("start", start)
    graph.add_node("sample", sample, input_schema=Branch)
    graph.add_node("vote", vote, destinations=("sample", END))
    graph.add_edge(START, "start")
    graph.add_edge("sample", "vote")
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


def _elected(parts: GraphParts, samples: Sequence[Sample], stopped: str) -> dict[str, Any]:
    voting = [one for one in samples if one["answer"]]
    if not voting:
        if parts.output and not stopped:
            raise ModelError(
                f"None of the {len(samples)} samples fits the output schema.",
                hint="Ask again, simplify the schema, or use a stronger model.",
            )
        return ended({}, AIMessage(partial_answer(())), None, stopped, "")
    votes = Counter(normalised(one["answer"]) for one in voting)
    winner, count = votes.most_common(1)[0]
    chosen = next(one for one in voting if normalised(one["answer"]) == winner)
    data = json.loads(chosen["answer"]) if parts.output else None
    reasoning = f"{chosen['text']}\n\n({count} of {len(samples)} samples agree.)"
    return ended({}, AIMessage(chosen["answer"]), data, stopped or chosen["cut"], reasoning)


def missing(answers: Sequence[str], most: int) -> int:
    """Return how many more samples could decide the vote; 0 when it is decided.

    Args:
        answers: the samples' answers so far; an empty one is no vote.
        most: how many samples there may be in all.
    """
    counts = sorted(Counter(normalised(one) for one in answers if one).values(), reverse=True)
    first, second, *_ = (*counts, 0, 0)
    left = most - len(answers)
    if first - second > left:
        return 0
    return min(left, (left - first + second) // 2 + 1)


_MARK = re.compile(r"^\W*(?:the )?(?:final )?answer(?: is)?\W*:\W*", re.IGNORECASE | re.MULTILINE)


def final_answer(text: str) -> str:
    """Return what stands behind the last ``Answer:`` of a text; all of it without one."""
    places = list(_MARK.finditer(text))
    answer = text[places[-1].end() :].strip().strip("*_` ") if places else ""
    return answer or text.strip()


def normalised(answer: str) -> str:
    """Return an answer such that answers that mean the same by their writing alone are equal.

    Case, markup, punctuation around it, an article before it, and the ways to write a number make
    no difference.
    """
    text = unicodedata.normalize("NFKC", answer).casefold()
    text = re.sub(r"(?<=\d)[,_'\u2019](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(\d+)\.0+(?!\d)", r"\1", re.sub(r"(\.\d*?[1-9])0+(?!\d)", r"\1", text))
    text = " ".join(re.sub(r"[*_`$\"]", " ", text).split()).strip(" .,:;!?()[]")
    return re.sub(r"^(?:the|an?) (?=\S)", "", text)
