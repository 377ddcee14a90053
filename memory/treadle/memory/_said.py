"""Who said a message, and when."""

from datetime import UTC, datetime
from typing import TypeVar

from langchain_core.messages import BaseMessage

M = TypeVar("M", bound=BaseMessage)

SAID_AT = "said_at"
"""The key in a message's ``additional_kwargs`` that says when it was said, as ISO 8601."""

_ROLES = {"human": "user", "ai": "assistant"}


def said_at(message: BaseMessage) -> datetime | None:
    """Return when the message was said, or ``None`` where it does not carry that."""
    text = message.additional_kwargs.get(SAID_AT)
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def said_by(message: BaseMessage) -> str:
    """Return who said it: the message's ``name``, else ``user``, ``assistant`` or its type."""
    return message.name or _ROLES.get(message.type, message.type)


def stamped(message: M, moment: datetime) -> M:
    """Return a copy of the message that carries when it was said, unless it already does."""
    if said_at(message) is not None:
        return message
    known = {**message.additional_kwargs, SAID_AT: moment.isoformat(timespec="seconds")}
    return message.model_copy(update={"additional_kwargs": known})
