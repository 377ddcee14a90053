"""How a turn of a `TurnGraph` ends: with an answer, whatever became of its nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from treadle.graphs._cut_short import words_of
from treadle.graphs._guards import STOPPED, partial_answer
from treadle.graphs._reasoning import so_far
from treadle.graphs.turns.templates import Template
from treadle.memory.window import since_last_question


@dataclass(frozen=True, slots=True)
class Cut:
    """A list whose items are worked on, and how many of them at most."""

    field: str
    most: int

    def reason(self, state: Mapping[str, Any]) -> str:
        """Return what was left out; nothing when nothing was."""
        count = len(state.get(self.field, ()))
        if count <= self.most:
            return ""
        return f"items: {self.most} of the {count} in {self.field!r} were worked on"


@dataclass(frozen=True, slots=True)
class Ending:
    """The last node of a turn.

    Attributes:
        answer: the answer, where the graph says what it is made of.
        cuts: the lists whose items are worked on.
    """

    answer: Template | None
    cuts: Sequence[Cut]

    async def finish(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """See to it that there is an answer, and that it says why there is not more."""
        turn = since_last_question(state["messages"])
        cut = next((reason for one in self.cuts if (reason := one.reason(state))), "")
        stopped = state.get("stopped") or cut
        reply = self._reply(state, turn)
        if reply is None:
            stopped = stopped or "graph: it ended without an answer"
            reply = AIMessage(so_far(state.get("thoughts", ())) or partial_answer(turn))
        if stopped and STOPPED not in reply.response_metadata:
            metadata = {**reply.response_metadata, STOPPED: stopped}
            reply = reply.model_copy(update={"response_metadata": metadata})
        reasoning = state.get("reasoning") or "\n\n".join(state.get("thoughts", ()))
        return {"messages": [reply], "reasoning": reasoning}

    def _reply(self, state: Mapping[str, Any], turn: Sequence[BaseMessage]) -> AIMessage | None:
        if self.answer is not None:
            is_whole = not state.get("stopped") or self.answer.is_filled_by(state)
            text = self.answer.filled(state) if is_whole else ""
            return AIMessage(text) if text.strip() else None
        last = next((m for m in reversed(turn) if isinstance(m, AIMessage)), None)
        return last if last is not None and not last.tool_calls and words_of(last).strip() else None
