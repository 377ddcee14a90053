"""The conversation as a model is shown it: whole, well formed, and inside its window."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately, trim_messages

CANCELLED = "This call was cancelled before it returned anything."


def repair(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages such that every tool call is answered and every answer has its call.

    A run that was interrupted leaves a tool call without an answer, and providers refuse a
    conversation that holds one.
    """
    answers = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    repaired: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            continue  # It is put right behind its call.
        repaired.append(message)
        if isinstance(message, AIMessage):
            repaired.extend(
                answers.get(call["id"] or "")
                or ToolMessage(CANCELLED, tool_call_id=call["id"], status="error")
                for call in message.tool_calls
            )
    return repaired


def fit(messages: Sequence[BaseMessage], max_tokens: int) -> list[BaseMessage]:
    """Return the newest messages that fit into ``max_tokens``, beginning with a question.

    Tool calls stay with their answers. The last question always stays; tokens are counted
    approximately, at four characters each.
    """
    if count_tokens_approximately(messages) <= max_tokens:
        return list(messages)
    fitting = trim_messages(
        list(messages),
        max_tokens=max_tokens,
        token_counter=count_tokens_approximately,
        strategy="last",
        start_on="human",
    )
    return fitting or list(since_last_question(messages))


def since_last_question(messages: Sequence[AnyMessage | BaseMessage]) -> Sequence[Any]:
    """Return the last question and all that came after it."""
    for index in range(len(messages) - 1, -1, -1):
        if isinstance(messages[index], HumanMessage):
            return messages[index:]
    return messages
