"""Making a reply of a graph's final state: its text, and the sources it points to."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from treadle.core.events import Reply
from treadle.core.sources import LABEL, Citation, Source
from treadle.core.usage import Usage
from treadle.graphs import STOPPED
from treadle.memory.window import since_last_question
from treadle.runtime._gates import sources_of


def make_reply(state: Mapping[str, Any], usage: Usage, run_id: str, thread_id: str) -> Reply:
    """Return the reply that a graph's final state holds.

    Source labels in the answer become numbers in the order of their first use. A label that no
    tool returned on this thread becomes ``[unknown source]``: it cannot be checked.
    """
    messages: Sequence[BaseMessage] = state.get("messages", ())
    answer = _answer(messages)
    text, citations = cite(answer.text if answer else "", known_sources(messages))
    stopped = str(answer.response_metadata.get(STOPPED, "")) if answer else ""
    if interrupts := state.get("__interrupt__"):
        stopped = f"interrupt: {interrupts[0].value}"
    return Reply(
        text=text.strip(),
        citations=citations,
        usage=usage,
        run_id=run_id,
        thread_id=thread_id,
        data=state.get("structured_response"),
        stopped=stopped,
        thought=str(state.get("reasoning", "")),
    )


def known_sources(messages: Sequence[BaseMessage]) -> dict[str, Source]:
    """Return the sources that tools returned on the thread, by label."""
    return {
        source.label: source
        for message in messages
        if isinstance(message, ToolMessage)
        for source in sources_of(message.artifact)
    }


def cite(text: str, sources: Mapping[str, Source]) -> tuple[str, tuple[Citation, ...]]:
    """Return the text with its labels numbered, and the citations they stand for."""
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    end = 0
    for match in LABEL.finditer(text):
        label = match.group(1)
        pieces.append(text[end : match.start()])
        end = match.end()
        if label not in sources:
            pieces.append("[unknown source]")
            continue
        mark = f"[{numbers.setdefault(label, len(numbers) + 1)}]"
        # A model often labels the same source twice in a row.
        if pieces[-1].strip() or not "".join(pieces[:-1]).endswith(mark):
            pieces.append(mark)
    pieces.append(text[end:])
    citations = tuple(Citation(number, sources[label]) for label, number in numbers.items())
    return "".join(pieces), citations


def _answer(messages: Sequence[BaseMessage]) -> AIMessage | None:
    turn = since_last_question(messages)
    return next((m for m in reversed(turn) if isinstance(m, AIMessage)), None)
