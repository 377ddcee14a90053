"""What a graph is given: a question, messages, or a state of its own."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, convert_to_messages

from treadle.core.characters import check_whole
from treadle.core.errors import InputError
from treadle.memory import stamped

MAX_QUESTION_CHARS = 400_000
"""The longest question, in characters: some 100,000 tokens, which few models can read at once."""


def check_question(text: str) -> str:
    """Return the question as it is.

    Raises:
        InputError: it is empty, longer than `MAX_QUESTION_CHARS`, or no text that can be kept.
    """
    check_whole("The question", text)
    if not text.strip():
        raise InputError("The question is empty.")
    if len(text) > MAX_QUESTION_CHARS:
        raise InputError(
            f"The question has {len(text):,} characters; at most {MAX_QUESTION_CHARS:,} are read.",
            hint="Put long material into a file, index it with 'treadle index', and ask about it.",
        )
    return text


def given_of(asked: str | Mapping[str, Any] | None) -> tuple[Any, str]:
    """Return what a graph is given, and the question in it."""
    if asked is None:
        return None, ""
    if isinstance(asked, str):
        return asking(check_question(asked)), asked
    check_whole("The input", asked)
    messages = asked.get("messages")
    if messages is None:
        return dict(asked), ""
    try:
        said = [_said(message) for message in convert_to_messages(_listed(messages))]
    except (ValueError, NotImplementedError) as problem:
        reason = " ".join(str(problem).split())
        raise InputError(f"The messages of the input cannot be read: {reason:.300}") from None
    text = next((m.text for m in reversed(said) if isinstance(m, HumanMessage)), "")
    return {**asked, "messages": said}, text


def _listed(messages: Any) -> list[Any]:
    return list(messages) if isinstance(messages, list | tuple) else [messages]


def _said(message: BaseMessage) -> BaseMessage:
    named = message if message.id else message.model_copy(update={"id": new_id()})
    return stamped(named, datetime.now(UTC)) if isinstance(named, HumanMessage) else named


def asking(question: str) -> dict[str, Any]:
    """Return a question as a graph is given it."""
    message = stamped(HumanMessage(question, id=new_id()), datetime.now(UTC))
    return {"messages": [message]}


def last_question(messages: Sequence[AnyMessage]) -> str:
    """Return what a person said last; empty where no person said anything."""
    found = (one.text for one in reversed(messages) if isinstance(one, HumanMessage))
    return next(found, "")


def saying(messages: Sequence[AnyMessage]) -> dict[str, Any]:
    """Return messages as a graph is given them.

    Raises:
        InputError: together they are longer than `MAX_QUESTION_CHARS`.
    """
    check_whole("The conversation", *(message.content for message in messages))
    length = sum(len(message.text) for message in messages)
    if length > MAX_QUESTION_CHARS:
        raise InputError(
            f"The messages have {length:,} characters; at most {MAX_QUESTION_CHARS:,} are read.",
            hint="Name a thread, and send only what is new.",
        )
    moment = datetime.now(UTC)
    named = (message.model_copy(update={"id": new_id()}) for message in messages)
    return {"messages": [stamped(message, moment) for message in named]}


def new_id() -> str:
    """Return an id that nothing else has."""
    return uuid.uuid4().hex
