"""A bounded tool-calling loop inside another pattern."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage

from treadle.core.boundary import thinking
from treadle.graphs._cut_short import cut_short, words_of
from treadle.graphs._guards import STOPPED
from treadle.graphs._parts import GraphParts
from treadle.graphs.react import ReactOptions, react
from treadle.memory.window import ContextWindow


@dataclass(frozen=True, slots=True)
class Found:
    """What a worker found.

    Attributes:
        text: its report.
        steps: its tool calls with their results, which a conversation may take in.
        stopped: why it had to stop, where the budget was the reason; empty otherwise.
        cut: why its report is not whole; empty when it is.
    """

    text: str
    steps: list[AnyMessage]
    stopped: str
    cut: str


class Worker:
    """The `react` graph as a part of another pattern, with the other pattern's tools.

    It sees what it is given and nothing else of the conversation: what memory adds and what leaves
    the window is the other pattern's affair.

    Args:
        parts: the other pattern's parts.
        rounds: of tool calls for one question; a question takes at most one model call more.
    """

    def __init__(self, parts: GraphParts, rounds: int) -> None:
        own = replace(
            parts,
            output=None,
            checkpointer=None,  # It is kept with the graph around it.
            window=ContextWindow(parts.window.tokens, summary="none"),
            name="worker",
        )
        self._graph = react(own, ReactOptions(max_steps=rounds))

    async def run(self, messages: Sequence[BaseMessage]) -> Found:
        """Work on what the messages ask, within the run's budget."""
        with thinking():
            state = await self._graph.ainvoke({"messages": list(messages)})
        new: list[AnyMessage] = state["messages"][len(messages) :]
        report = next((m for m in reversed(new) if isinstance(m, AIMessage)), AIMessage(""))
        reason = str(report.response_metadata.get(STOPPED, ""))
        return Found(
            words_of(report).strip(),
            [m for m in new if isinstance(m, ToolMessage) or _calls(m)],
            reason if reason.startswith("budget:") else "",
            cut_short(report),
        )


def _calls(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and bool(message.tool_calls)
