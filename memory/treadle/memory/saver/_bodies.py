"""The entries of the log as the client keeps them.

A cached message is a template that nobody else holds: it is compared with the graph's objects and
copied for them, never handed out, so that a graph that changes a message in place changes its own
copy only.
"""

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from langchain_core.messages import BaseMessage

from treadle.memory._codec import Codec
from treadle.memory.saver._messages import FIELD_NAMES

_TEXTS = frozenset({str, type(None)})
_EMPTY: Mapping[type, Any] = {dict: {}, list: []}  # one for all templates, and never handed out
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_MARSHAL_VERSION = 2  # the last that writes equal values alike, whoever else refers to them


def digest(frame: bytes) -> bytes:
    """Return what identifies a body by its content."""
    return blake2b(frame, digest_size=16).digest()


@dataclass(slots=True, eq=False, weakref_slot=True)
class Body:
    """One entry of the log.

    Attributes:
        size: its length in bytes.
        frame: its bytes; empty where there is a template.
        kind: the class of the message it holds, or ``None``.
        fields: the fields of that message, never handed out.
        empty: the names of the fields that hold an empty list or dict.
        full: the names of the fields that hold a list or dict with something in it.
        exact: the names of those that hold numbers, where equal is not the same.
        image: the exact fields as bytes.
        text: what it holds as JSON, once that was asked for.
    """

    size: int
    frame: bytes
    kind: type[BaseMessage] | None = None
    fields: dict[str, Any] | None = None
    empty: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    image: bytes = b""
    text: bytes | None = None

    @classmethod
    def of(cls, frame: bytes, codec: Codec) -> "Body":
        """Return the entry with this frame.

        Raises:
            RecordError: the frame cannot be read.
        """
        value = codec.decode(frame)
        names = FIELD_NAMES.get(type(value))
        if names is None or value.__pydantic_extra__ or value.__dict__.keys() != names:
            return cls(len(frame), frame)
        body = cls(len(frame), b"", type(value), value.__dict__)
        return body if body._describe_fields() else cls(len(frame), frame)

    def _describe_fields(self) -> bool:
        """Sort the fields by how they are copied and compared; tell whether all can be."""
        empty: list[str] = []
        exact: list[str] = []
        full: list[str] = []
        fields = self.fields or {}
        for name, held in fields.items():
            kind = type(held)
            if kind in _TEXTS:
                continue
            if kind in _EMPTY:
                if not held:
                    empty.append(name)
                    fields[name] = _EMPTY[kind]
                    continue
                full.append(name)
            if not _is_plain(held):
                return False
            if not _is_text(held):
                exact.append(name)
        self.empty, self.full, self.exact = tuple(empty), tuple(full), tuple(exact)
        self.image = image(fields, self.exact)
        return True

    @property
    def message_id(self) -> str | None:
        """The id of the message it holds, if any."""
        return None if self.fields is None else self.fields.get("id")


def image(fields: dict[str, Any], names: Sequence[str]) -> bytes:
    """Return these fields as bytes: 1 == True == 1.0, but they are not the same data."""
    return marshal.dumps([fields[name] for name in names], _MARSHAL_VERSION) if names else b""


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _is_plain(held) for key, held in value.items())
    if kind is list:
        return all(map(_is_plain, value))
    return kind in _SCALARS


def _is_text(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(map(_is_text, value.values()))
    if kind is list:
        return all(map(_is_text, value))
    return kind in _TEXTS


def copied(value: Any) -> Any:
    """Return plain data as lists and dicts of the caller's own."""
    kind = type(value)
    if kind is dict:
        return {key: copied(held) for key, held in value.items()}
    if kind is list:
        return [copied(held) for held in value]
    return value
