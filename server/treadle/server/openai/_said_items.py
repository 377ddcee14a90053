"""What was said on a conversation, as items."""

import hashlib
import json
import re
from contextlib import suppress
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from treadle.core.errors import UnknownNameError
from treadle.graphs import refusal_of
from treadle.memory.transcript import Said
from treadle.runtime import Runtime
from treadle.server.openai._input_items import Item, Order, page_of

_ID = re.compile(r"(?:msg|fc|fco)_([0-9]{1,9})(?:_[0-9a-f]{8})?")
DEVELOPER = {"__openai_role__": "developer"}
"""What LangChain notes with a system message that is a developer's."""


async def items_page(
    rt: Runtime, thread_id: str, *, after: str | None, limit: int, order: Order
) -> Item:
    """Return a page of what was said, as `page_of` does, without reading all of it.

    A page may follow an item that was removed since.

    Raises:
        UnknownNameError: there is no item ``after``.
    """
    number = None if after is None else number_of(after)
    if order == "asc":
        window = {"after": -1 if number is None else number - 1}
    else:
        window = {} if number is None else {"before": number + 1}
    try:
        page = await rt.threads.page(thread_id, limit=limit + 2, **window)
    except UnknownNameError:  # Nothing was said on it yet.
        return page_of([], after=after, limit=limit, order=order)
    items = [item for said in page.messages for item in items_of(said)]
    if number is not None and number < page.end and all(item["id"] != after for item in items):
        after = None  # It was removed.
        items = [item for item in items if number_of(item["id"]) != number]
    return page_of(items, after=after, limit=limit, order=order)


async def item_named(rt: Runtime, thread_id: str, name: str) -> Item:
    """Return one item.

    Raises:
        UnknownNameError: there is none of that id.
    """
    said = await said_as(rt, thread_id, name)
    return next(item for item in items_of(said) if item["id"] == name)


async def said_as(rt: Runtime, thread_id: str, name: str) -> Said:
    """Return the message that an item is, or is a part of.

    Raises:
        UnknownNameError: there is none of that id.
    """
    with suppress(UnknownNameError):  # Its message would name other threads.
        found = await rt.threads.page(thread_id, after=number_of(name) - 1, limit=1)
        for said in found.messages:
            if any(item["id"] == name for item in items_of(said)):
                return said
    raise UnknownNameError("item", name, None)


def items_of(said: Said) -> list[Item]:
    """Return what a message of a thread says: texts, calls, and what they returned."""
    message, number = said.message, said.number
    about: dict[str, Any] = {"status": "completed"}
    if isinstance(message, HumanMessage):
        content = [{"type": "input_text", "text": message.text}]
        about |= {"id": f"msg_{number}", "type": "message"}
        return [{**about, "role": "user", "content": content}]
    if isinstance(message, SystemMessage):
        role = "developer" if DEVELOPER.items() <= message.additional_kwargs.items() else "system"
        about |= {"id": f"msg_{number}", "type": "message"}
        return [{**about, "role": role, "content": [{"type": "input_text", "text": message.text}]}]
    if isinstance(message, ToolMessage):
        about |= {"id": f"fco_{number}", "type": "function_call_output"}
        return [{**about, "call_id": message.tool_call_id, "output": message.text}]
    if not isinstance(message, AIMessage):
        return []
    items: list[Item] = []
    named: dict[str, Any]
    if content := _answered(message):
        named = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
        items.append({**about, **named, "content": content})
    for call in message.tool_calls:
        arguments = json.dumps(call["args"], ensure_ascii=False)
        named = {"id": call_item(number, call["id"]), "type": "function_call", "name": call["name"]}
        items.append({**about, **named, "call_id": call["id"], "arguments": arguments})
    return items


def _answered(message: AIMessage) -> list[Item]:
    if refusal := refusal_of(message):
        return [{"type": "refusal", "refusal": refusal}]
    text = message.text
    return [{"type": "output_text", "text": text, "annotations": []}] if text else []


def call_item(number: int, call_id: str | None) -> str:
    """Return the id of a call's item, which stays when another call of the message goes."""
    mark = hashlib.blake2b((call_id or "").encode(), digest_size=4).hexdigest()
    return f"fc_{number}_{mark}"


def number_of(name: str) -> int:
    """Return the number of the message that an item is, or is a part of.

    Raises:
        UnknownNameError: no item has such an id.
    """
    match = _ID.fullmatch(name)
    if match is None:
        raise UnknownNameError("item", name, None)
    return int(match[1])
