"""Items that are put onto a conversation, and taken from it, without asking for a response."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import Field, StringConstraints, field_validator

from treadle.core.errors import InputError
from treadle.memory import said_at, stamped
from treadle.memory.transcript import Said
from treadle.runtime import Runtime
from treadle.server.openai._fields import Asking, Text, text_of
from treadle.server.openai._input_items import Item
from treadle.server.openai._said_items import DEVELOPER, call_item, items_of, said_as

MAX_CHARS = 400_000
"""How many characters one request adds at most, as for a question."""
_NEARBY = 200
"""How many messages around a call are looked at for what it returned, and the other way round."""


SomeText = Annotated[str, StringConstraints(pattern=r"\S")]


class SomePart(Text):
    """A piece of text that says something: providers refuse messages that do not."""

    text: SomeText


class NewItem(Asking):
    """A message that is put onto a conversation.

    Calls of tools are the agent's to make, and what they return answers the agent: a request for a
    response brings that.
    """

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: SomeText | Annotated[list[SomePart], Field(min_length=1, max_length=1_000)]
    id: str | None = None
    status: str | None = None
    neutral: ClassVar = {"phase": ("commentary", "final_answer")}

    @field_validator("type", mode="before")
    @classmethod
    def _is_message(cls, kind: Any) -> Any:
        if kind != "message":
            raise ValueError(f"items of the type {kind!r} cannot be added, only messages")
        return kind

    @field_validator("content", mode="before")
    @classmethod
    def _says_something(cls, content: Any) -> Any:
        pieces = content if isinstance(content, list) else [content]
        texts = [one.get("text") if isinstance(one, dict) else one for one in pieces]
        if all(isinstance(text, str) and not text.strip() for text in texts):
            raise ValueError("it is empty")
        return content

    def message(self) -> AnyMessage:
        """Return it as a graph holds it, said now."""
        text, id_ = text_of(self.content), uuid.uuid4().hex
        made: AnyMessage
        if self.role == "user":
            made = HumanMessage(text, id=id_)
        elif self.role == "assistant":
            made = AIMessage(text, id=id_)
        else:
            about = DEVELOPER if self.role == "developer" else {}
            made = SystemMessage(text, id=id_, additional_kwargs=dict(about))
        return stamped(made, datetime.now(UTC))


NewItems = Annotated[list[NewItem], Field(min_length=1, max_length=20)]


async def add_items(rt: Runtime, thread_id: str, items: Sequence[NewItem]) -> list[Item]:
    """Say items on a conversation, and return them as they are from now on.

    Raises:
        InputError: together they are too long.
        RunStateError: a run uses the conversation, or waits on it.
    """
    length = sum(len(text_of(item.content)) for item in items)
    if length > MAX_CHARS:
        raise InputError(f"The items have {length:,} characters; at most {MAX_CHARS:,} are added.")
    async with rt.editing(thread_id) as thread:
        added = await thread.add([item.message() for item in items])
    return [item for said in added for item in items_of(said)]


async def remove_item(rt: Runtime, thread_id: str, name: str) -> None:
    """Remove an item; a call goes with what it returned, and the other way round.

    Raises:
        UnknownNameError: there is none of that id.
        RunStateError: a run uses the conversation, or waits on it.
    """
    async with rt.editing(thread_id) as thread:
        removed, left = await _change(rt, thread_id, name)
        empty = [one for one in left if not one.text and not one.tool_calls]
        gone = [one.id or "" for one in (*removed, *empty)]
        await thread.change(gone, [one for one in left if one not in empty])


async def _change(
    rt: Runtime, thread_id: str, name: str
) -> tuple[Sequence[BaseMessage], Sequence[AIMessage]]:
    """Return the messages that go with an item, and those that stay, as they are without it."""
    said = await said_as(rt, thread_id, name)
    message = said.message
    if isinstance(message, ToolMessage):
        caller = await _caller(rt, thread_id, said)
        return [message], [] if caller is None else [_without(caller, message.tool_call_id)]
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return [message], []
    called = [c["id"] for c in message.tool_calls if call_item(said.number, c["id"]) == name]
    if not called:  # What was said beside the calls.
        return [], [_rewritten(message, "", message.tool_calls)]
    returned = await _returned(rt, thread_id, said, called[0])
    return returned, [_without(message, called[0])]


async def _caller(rt: Runtime, thread_id: str, returned: Said) -> AIMessage | None:
    """Return the message whose call a tool's message answers: the nearest before it."""
    message = returned.message
    assert isinstance(message, ToolMessage)  # noqa: S101 - the caller looked
    page = await rt.threads.page(thread_id, before=returned.number, limit=_NEARBY)
    for said in reversed(page.messages):
        if isinstance(said.message, AIMessage) and message.tool_call_id in _calls_of(said.message):
            return said.message
    return None


async def _returned(
    rt: Runtime, thread_id: str, called: Said, call_id: str | None
) -> list[BaseMessage]:
    """Return what answers a call, before another message uses its id again."""
    page = await rt.threads.page(thread_id, after=called.number, limit=_NEARBY)
    for said in page.messages:
        if isinstance(said.message, ToolMessage) and said.message.tool_call_id == call_id:
            return [said.message]
        if isinstance(said.message, AIMessage) and call_id in _calls_of(said.message):
            break
    return []


def _calls_of(message: AIMessage) -> set[str | None]:
    return {call["id"] for call in message.tool_calls}


def _without(message: AIMessage, call_id: str | None) -> AIMessage:
    left = [call for call in message.tool_calls if call["id"] != call_id]
    return _rewritten(message, message.text, left)


def _rewritten(message: AIMessage, text: str, calls: Sequence[Any]) -> AIMessage:
    """Return a message of that text and those calls alone.

    Providers repeat both in forms of their own, in which a removed part would be sent again.
    """
    made = AIMessage(text, id=message.id, name=message.name, tool_calls=list(calls))
    return stamped(made, said_at(message) or datetime.now(UTC))
