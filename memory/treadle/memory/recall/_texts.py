"""A message as texts of the index, and back.

The text of a message is cut into parts no longer than embeddings can take in; joined, they are the
text again, which is therefore kept once. Beside the first part stands the rest of the message.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    message_to_dict,
    messages_from_dict,
)

from treadle.memory._said import said_at, said_by
from treadle.memory.textindex import Hit, IndexedText

PART_CHARS = 1_000
_LONGEST_BLOCK = 4_000
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def id_of(message: BaseMessage) -> str:
    """Return the message's id; one made of what it says where it has none."""
    if message.id:
        return message.id
    said = json.dumps([message.type, said_by(message), message.text, str(said_at(message))])
    return f"text-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def texts_of(message: BaseMessage) -> list[IndexedText]:
    """Return what is kept of a message."""
    id_, text, context = id_of(message), searchable(message), _context(message)
    parts = _parts(text) or [""]
    fields: dict[str, Any] = {"message": _record(message, text)}
    if len(parts) > 1:
        fields["parts"] = len(parts)
    first = IndexedText(id_, parts[0], context, fields)
    return [first, *(IndexedText(id_, part, context) for part in parts[1:])]


def is_whole(text: IndexedText | Hit) -> bool:
    """Tell whether a text holds all of its message."""
    return "message" in text.fields and "parts" not in text.fields


def message_of(texts: Sequence[IndexedText | Hit]) -> BaseMessage:
    """Return the message that `texts_of` took apart."""
    record = dict(texts[0].fields["message"])
    if "content" not in record["data"]:
        record["data"] = {**record["data"], "content": "".join(part.text for part in texts)}
    return messages_from_dict([record])[0]


def to_embed(item: IndexedText) -> str:
    """Return what is embedded of a text: who says what."""
    return f"{item.context.partition(' | ')[0]}: {item.text}"


def searchable(message: BaseMessage) -> str:
    """Return by which words a message is found: its text, and the tools it calls with what."""
    text = str(message.text)
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    lines = [f"{call['name']} {json.dumps(call['args'], default=str)}" for call in calls]
    return "\n".join([text, *lines]) if lines else text


def _context(message: BaseMessage) -> str:
    """Return who said it and when, in the words that a question would use."""
    moment = said_at(message)
    if moment is None:
        return said_by(message)
    return f"{said_by(message)} | {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def _record(message: BaseMessage, text: str) -> dict[str, Any]:
    record = message_to_dict(message)
    if message.content == text:
        del record["data"]["content"]
    elif isinstance(message.content, list):
        record["data"]["content"] = [_slim(block) for block in message.content]
    # What JSON cannot hold becomes text: a message must not be lost for one odd attribute.
    return dict(json.loads(json.dumps(record, default=str), parse_constant=str))


def _slim(block: Any) -> Any:
    """Return a block of content, or what kind it was when it is an image or another large thing."""
    kind = block.get("type", "data") if isinstance(block, dict) else "text"
    if kind == "text" or len(json.dumps(block, default=str)) <= _LONGEST_BLOCK:
        return block
    return {"type": "text", "text": f"[{kind}]"}


def _parts(text: str) -> list[str]:
    """Cut a text at spaces where there are any."""
    parts = []
    start = 0
    while start < len(text):
        end = start + PART_CHARS
        if end < len(text):
            space = text.rfind(" ", start + PART_CHARS // 2, end)
            end = space + 1 if space > 0 else end
        parts.append(text[start:end])
        start = end
    return parts
