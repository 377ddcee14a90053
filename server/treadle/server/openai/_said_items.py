"""What was said on a conversation, as items."""

import json
import re
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from treadle.core.errors import UnknownNameError
from treadle.memory.transcript import Said
from treadle.runtime import Runtime
from treadle.server.openai._input_items import Item, Order, page_of

_ID = re.compile(r"(?:msg|fc|fco)_([0-9]{1,9})(?:_[0-9]{1,9})?")


async def items_page(
    rt: Runtime, thread_id: str, *, after: str | None, limit: int, order: Order
) -> Item:
    """Return a page of what was said, as `page_of` does, without reading all of it.

    Raises:
        UnknownNameError: there is no item ``after``.
    """
    number = None if after is None else _number(after)
    if order == "asc":
        window = {"after": -1 if number is None else number - 1}
    else:
        window = {} if number is None else {"before": number + 1}
    try:
        page = await rt.threads.page(thread_id, limit=limit + 2, **window)
    except UnknownNameError:  # Nothing was said on it yet.
        return page_of([], after=after, limit=limit, order=order)
    items = [item for said in page.messages for item in items_of(said)]
    return page_of(items, after=after, limit=limit, order=order)


async def item_named(rt: Runtime, thread_id: str, name: str) -> Item:
    """Return one item.

    Raises:
        UnknownNameError: there is none of that id.
    """
    page = await items_page(rt, thread_id, after=None, limit=1, order="asc")
    if page["data"]:
        found = await rt.threads.page(thread_id, after=_number(name) - 1, limit=1)
        for item in (item for said in found.messages for item in items_of(said)):
            if item["id"] == name:
                return item
    raise UnknownNameError("item", name, None)


def items_of(said: Said) -> list[Item]:
    """Return what a message of a thread says: texts, calls, and what they returned."""
    message, number = said.message, said.number
    about: dict[str, Any] = {"status": "completed"}
    if isinstance(message, HumanMessage):
        content = [{"type": "input_text", "text": message.text}]
        about |= {"id": f"msg_{number}", "type": "message"}
        return [{**about, "role": "user", "content": content}]
    if isinstance(message, ToolMessage):
        about |= {"id": f"fco_{number}", "type": "function_call_output"}
        return [{**about, "call_id": message.tool_call_id, "output": message.text}]
    if not isinstance(message, AIMessage):
        return []
    items: list[Item] = []
    named: dict[str, Any]
    if message.text:
        text = {"type": "output_text", "text": message.text, "annotations": []}
        named = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
        items.append({**about, **named, "content": [text]})
    for at, call in enumerate(message.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        named = {"id": f"fc_{number}_{at}", "type": "function_call", "name": call["name"]}
        items.append({**about, **named, "call_id": call["id"], "arguments": arguments})
    return items


def _number(name: str) -> int:
    match = _ID.fullmatch(name)
    if match is None:
        raise UnknownNameError("item", name, None)
    return int(match[1])
