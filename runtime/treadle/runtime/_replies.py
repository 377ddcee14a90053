"""Making a reply of a graph's final state: its text, and the sources it points to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from treadle.agents import CitationMode
from treadle.core.events import Reply
from treadle.core.usage import Usage
from treadle.graphs import STOPPED, cut_short, words_of
from treadle.memory.window import since_last_question
from treadle.runtime.citations import Checked, Evidence, ToolText, check


def make_reply(
    state: Mapping[str, Any],
    usage: Usage,
    run_id: str,
    thread_id: str,
    *,
    citations: CitationMode = "mark",
    earlier: Iterable[ToolText] = (),
) -> Reply:
    """Return the reply that a graph's final state holds, its answer checked against its sources.

    Args:
        state: the graph's final state.
        usage: what the run cost.
        run_id: the run.
        thread_id: the conversation.
        citations: what becomes of what no source bears out.
        earlier: what tools returned on the thread and the state no longer holds.
    """
    messages: Sequence[BaseMessage] = state.get("messages", ())
    answer = _answer(messages)
    checked = Checked("", ())
    if answer:
        checked = check(words_of(answer), Evidence.of(messages, answer, earlier), citations)
    stopped = _stopped(answer) if answer else ""
    if interrupts := state.get("__interrupt__"):
        stopped = f"interrupt: {_question(interrupts[0].value)}"
    return Reply(
        text=checked.text.strip(),
        citations=checked.citations,
        usage=usage,
        run_id=run_id,
        thread_id=thread_id,
        data=state.get("structured_response"),
        stopped=stopped,
        thought=str(state.get("reasoning", "")),
        unverified=checked.unverified,
    )


def _answer(messages: Sequence[BaseMessage]) -> AIMessage | None:
    turn = since_last_question(messages)
    return next((m for m in reversed(turn) if isinstance(m, AIMessage)), None)


def _stopped(answer: AIMessage) -> str:
    return cut_short(answer) or str(answer.response_metadata.get(STOPPED, ""))


def _question(value: Any) -> Any:
    """Return what a person is asked by an interrupt, without what is there for programs."""
    return value.get("message", value) if isinstance(value, Mapping) else value
