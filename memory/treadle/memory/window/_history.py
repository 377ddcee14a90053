"""The conversation as a provider accepts it, and the turns it is made of."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage

CANCELLED = "This call was cancelled before it returned anything."

ASIDE = "treadle_aside"
"""The key in a message's ``additional_kwargs`` that says that no person said it."""


def aside(text: str, about: str = "note") -> HumanMessage:
    """Return a message in the user's role that is no question: a note, or what memory holds.

    Args:
        text: what it says.
        about: what kind it is, such as ``"memory"``.
    """
    return HumanMessage(text, additional_kwargs={ASIDE: about})


def aside_kind(message: BaseMessage) -> str:
    """Return what kind of aside the message is; nothing when it is none."""
    return str(message.additional_kwargs.get(ASIDE, ""))


def repair(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages such that every tool call is answered and every answer has its call.

    A run that was interrupted leaves a tool call without an answer, and providers refuse a
    conversation that holds one. An answer is put right behind its call, in the order of the calls;
    one without a call is left out.
    """
    answers = _answers(messages)
    repaired: list[BaseMessage] = []
    for place, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            continue
        repaired.append(message)
        if isinstance(message, AIMessage):
            for number, call in enumerate(message.tool_calls):
                answer = answers.get((place, number))
                repaired.append(answer or _cancelled(call["id"], call["name"]))
    return repaired


def _answers(messages: Sequence[BaseMessage]) -> dict[tuple[int, int], ToolMessage]:
    """Return the answers by the place of their call; an id may be used again in a later turn."""
    waiting: dict[str, list[tuple[int, int]]] = {}
    answers: dict[tuple[int, int], ToolMessage] = {}
    for place, message in enumerate(messages):
        if isinstance(message, AIMessage):
            ids = {call["id"] or "" for call in message.tool_calls}
            waiting |= {id_: [] for id_ in ids}
            for number, call in enumerate(message.tool_calls):
                waiting[call["id"] or ""].append((place, number))
        elif isinstance(message, ToolMessage) and (calls := waiting.get(message.tool_call_id)):
            answers[calls.pop(0)] = message
    return answers


def _cancelled(call_id: str | None, name: str) -> ToolMessage:
    return ToolMessage(CANCELLED, tool_call_id=call_id or "", name=name, status="error")


def since_last_question(messages: Sequence[AnyMessage | BaseMessage]) -> Sequence[Any]:
    """Return the last question and all that came after it."""
    for index in range(len(messages) - 1, -1, -1):
        if _is_question(messages[index]):
            return messages[index:]
    return messages


def turns_of(messages: Sequence[BaseMessage]) -> list[list[BaseMessage]]:
    """Split the messages before each question; what comes before the first is a turn, too."""
    turns: list[list[BaseMessage]] = []
    for message in messages:
        if _is_question(message) or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _is_question(message: BaseMessage) -> bool:
    return isinstance(message, HumanMessage) and not aside_kind(message)
