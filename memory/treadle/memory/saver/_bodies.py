"""The entries of the log as the client keeps them.

A cached message is a template that nobody else holds: it is compared with the graph's objects and
copied for them, never handed out, so that a graph that changes a message in place changes its own
copy only.
"""

import copy
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from treadle.memory.saver._codec import Codec

# Their fields are known, so that equal fields mean equal messages.
_KNOWN_MESSAGES = frozenset(
    {
        AIMessage,
        AIMessageChunk,
        ChatMessage,
        FunctionMessage,
        HumanMessage,
        SystemMessage,
        ToolMessage,
    }
)
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})


def is_known_message(value: object) -> bool:
    """Whether ``value`` is a message that can be compared without serialising it."""
    return type(value) in _KNOWN_MESSAGES


def digest(frame: bytes) -> bytes:
    """Return what identifies a body by its content."""
    return blake2b(frame, digest_size=16).digest()


@dataclass(slots=True)
class Body:
    """One entry of the log.

    Attributes:
        size: its length in bytes.
        frame: its bytes; empty where there is a template.
        template: the message it holds, never handed out.
        containers: the fields of the message that hold a list or a dict.
    """

    size: int
    frame: bytes
    template: BaseMessage | None = None
    containers: tuple[str, ...] = ()

    @classmethod
    def of(cls, frame: bytes, codec: Codec) -> "Body":
        """Return the entry with this frame.

        Raises:
            RecordError: the frame cannot be read.
        """
        value = codec.decode(frame)
        if is_known_message(value) and _is_plain_message(value):
            containers = tuple(
                name for name, held in value.__dict__.items() if type(held) not in _SCALARS
            )
            return cls(len(frame), b"", value, containers)
        return cls(len(frame), frame)

    def fresh(self, codec: Codec) -> Any:
        """Return a copy of its own for the caller."""
        if self.template is None:
            return codec.decode(self.frame)
        message = copy.copy(self.template)
        fields = message.__dict__
        for name in self.containers:
            fields[name] = _copied(fields[name])
        return message

    def matches(self, value: object) -> bool:
        """Whether serialising ``value`` would give this entry again."""
        template = self.template
        if template is None or type(value) is not type(template):
            return False
        fields, held = value.__dict__, template.__dict__
        if fields != held or value.__pydantic_extra__ != template.__pydantic_extra__:
            return False
        # 1 == True == 1.0, but they are not the same data.
        return all(_same(fields[name], held[name]) for name in self.containers if held[name])


def _is_plain_message(message: BaseMessage) -> bool:
    extra = message.__pydantic_extra__
    return (not extra) and all(_is_plain(value) for value in message.__dict__.values())


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _is_plain(held) for key, held in value.items())  # type: ignore[attr-defined]
    if kind is list:
        return all(_is_plain(held) for held in value)  # type: ignore[attr-defined]
    return kind in _SCALARS


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copied(held) for key, held in value.items()} if value else {}
    if kind is list:
        return [_copied(held) for held in value] if value else []
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two equal values are also of equal types all through."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is dict:
        return len(one) == len(other) and all(
            key in other and _same(held, other[key]) for key, held in one.items()
        )
    if kind is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return True
