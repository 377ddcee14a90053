"""Messages as they grow, in the content blocks of the protocol of LangChain's streams."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]
_USAGE = ("input_tokens", "output_tokens", "total_tokens")
_DETAILS = ("input_token_details", "output_token_details")


@dataclass
class _Message:
    """A message that grows: its blocks in the order in which they began."""

    blocks: list[Data] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)
    usage: Data = field(default_factory=dict)


class MessageTeller:
    """Tells of the messages of one namespace, from the pieces that models and tools streamed."""

    def __init__(self) -> None:
        self._open: dict[str, _Message] = {}

    @property
    def is_telling(self) -> bool:
        """Whether a message has begun that is not at its end."""
        return bool(self._open)

    def tell(self, piece: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Data]:
        """Yield what a piece of a message, or a whole one, adds.

        Args:
            piece: the message, as JSON.
            about: where it comes from.
        """
        key = str(piece.get("id"))
        if key not in self._open:
            self._open[key] = _Message()
            node = about.get("langgraph_node")
            metadata = {"metadata": {"langgraph_node": node}} if node else {}
            yield {"event": "message-start", "role": "ai", "id": key, **metadata}
        message = self._open[key]
        for kind, place, text, fresh in _parts(piece):
            yield from _grown(message, kind, place, text, fresh)
        if usage := piece.get("usage_metadata"):
            message.usage = {name: usage[name] for name in (*_USAGE, *_DETAILS) if usage.get(name)}
        is_whole = piece["type"] != "AIMessageChunk" or piece.get("chunk_position") == "last"
        if is_whole:
            yield from self._finished(key)

    def finish(self) -> Iterator[Data]:
        """Yield that whatever has begun is at its end."""
        for key in list(self._open):
            yield from self._finished(key)

    def _finished(self, key: str) -> Iterator[Data]:
        message = self._open.pop(key)
        for index, block in enumerate(message.blocks):
            yield {"event": "content-block-finish", "index": index, "content": _final(block)}
        usage = {"usage": message.usage} if message.usage else {}
        yield {"event": "message-finish", "id": key, **usage}


_Part = tuple[str, Any, str, Data]
"""A kind of block, which one of its kind, what is added, and what it begins with."""


def _parts(piece: Mapping[str, Any]) -> Iterator[_Part]:
    content = piece.get("content") or ""
    for block in [content] if isinstance(content, str) else content:
        yield from _part(block)
    thought = piece.get("additional_kwargs", {}).get("reasoning_content")
    if thought:
        yield "reasoning", "thought", thought, {"type": "reasoning", "reasoning": ""}
    for place, call in enumerate(piece.get("tool_call_chunks") or ()):
        fresh = {"type": "tool_call_chunk", "id": call.get("id"), "name": call.get("name")}
        which = place if call.get("index") is None else call["index"]
        yield "tool_call", which, call.get("args") or "", {**fresh, "args": ""}
    if "tool_call_chunks" not in piece:
        for place, call in enumerate(piece.get("tool_calls") or ()):
            fresh = {"type": "tool_call_chunk", "id": call["id"], "name": call["name"], "args": ""}
            yield "tool_call", place, json.dumps(call["args"]), fresh


def _part(block: Any) -> Iterator[_Part]:
    if isinstance(block, str) or block.get("type") == "text":
        text = block if isinstance(block, str) else block.get("text", "")
        if text:
            yield "text", "text", text, {"type": "text", "text": ""}
    elif block.get("type") == "reasoning":
        text = block.get("reasoning") or ""
        if text:
            yield "reasoning", "thought", text, {"type": "reasoning", "reasoning": ""}


_DELTAS = {"text": ("text-delta", "text"), "reasoning": ("reasoning-delta", "reasoning")}


def _grown(message: _Message, kind: str, place: Any, text: str, fresh: Data) -> Iterator[Data]:
    index = message.places.get((kind, place))
    if index is None:
        index = message.places[kind, place] = len(message.blocks)
        message.blocks.append(dict(fresh))
        yield {"event": "content-block-start", "index": index, "content": fresh}
    if not text:
        return
    name, part = _DELTAS.get(kind, ("tool-call-delta", "args"))
    message.blocks[index][part] += text
    yield {"event": "content-block-delta", "index": index, "delta": {"type": name, part: text}}


def _final(block: Data) -> Data:
    if block["type"] != "tool_call_chunk":
        return block
    try:
        args = json.loads(block["args"] or "{}")
    except ValueError as error:
        return {
            **block,
            "type": "invalid_tool_call",
            "error": f"The arguments are no JSON: {error}",
        }
    return {**block, "type": "tool_call", "args": args}
