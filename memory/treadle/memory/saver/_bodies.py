"""The entries of the log as the client keeps them.

A cached message is a template that nobody else holds: it is compared with the graph's objects and
copied for them, never handed out, so that a graph that changes a message in place changes its own
copy only.
"""

import gc
import marshal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import repeat
from operator import attrgetter
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
from pydantic import BaseModel

from treadle.memory._codec import Codec

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
_TEXTS = frozenset({str, type(None)})
_CONTAINERS = frozenset({dict, list})
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_MARSHAL_VERSION = 2  # the last that writes equal values alike, whoever else refers to them
_EXTRA = attrgetter("__pydantic_extra__")
_new: Callable[[Any], Any] = object.__new__
_slots: Any = vars(BaseModel)
_set_fields = _slots["__dict__"].__set__
_set_fields_set = _slots["__pydantic_fields_set__"].__set__
_set_extra = _slots["__pydantic_extra__"].__set__
_set_private = _slots["__pydantic_private__"].__set__


def digest(frame: bytes) -> bytes:
    """Return what identifies a body by its content."""
    return blake2b(frame, digest_size=16).digest()


@dataclass(slots=True, eq=False)
class Body:
    """One entry of the log.

    Attributes:
        size: its length in bytes.
        frame: its bytes; empty where there is a template.
        kind: the class of the message it holds, or ``None``.
        fields: the fields of that message, never handed out.
        empty: the fields that hold an empty list or dict, with what makes another.
        full: the names of the fields that hold a list or dict with something in it.
        exact: the names of those that hold numbers, where equal is not the same.
        image: the exact fields as bytes.
    """

    size: int
    frame: bytes
    kind: type[BaseMessage] | None = None
    fields: dict[str, Any] | None = None
    empty: tuple[tuple[str, Callable[[], Any]], ...] = ()
    full: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    image: bytes = b""

    @classmethod
    def of(cls, frame: bytes, codec: Codec) -> "Body":
        """Return the entry with this frame.

        Raises:
            RecordError: the frame cannot be read.
        """
        value = codec.decode(frame)
        if type(value) not in _KNOWN_MESSAGES or value.__pydantic_extra__:
            return cls(len(frame), frame)
        body = cls(len(frame), b"", type(value), value.__dict__)
        return body if body._describe_fields() else cls(len(frame), frame)

    def _describe_fields(self) -> bool:
        """Sort the fields by how they are copied and compared; tell whether all can be."""
        empty: list[tuple[str, Callable[[], Any]]] = []
        exact: list[str] = []
        full: list[str] = []
        fields = self.fields or {}
        for name, held in fields.items():
            kind = type(held)
            if kind in _TEXTS:
                continue
            if kind in _CONTAINERS:
                if not held:
                    empty.append((name, kind))
                    continue
                full.append(name)
            if not _is_plain(held):
                return False
            if not _is_text(held):
                exact.append(name)
        self.empty, self.full, self.exact = tuple(empty), tuple(full), tuple(exact)
        self.image = _image(fields, self.exact)
        return True

    @property
    def message_id(self) -> str | None:
        """The id of the message it holds, if any."""
        return None if self.fields is None else self.fields.get("id")


def copies(bodies: Sequence[Body], codec: Codec) -> list[Any]:
    """Return what ``bodies`` hold, as objects of the caller's own.

    It does what pydantic's own copy does, for all messages of a thread at once: this is most of
    what a turn of a long thread takes.
    """
    with _collection_postponed():
        return _copies(bodies, codec)


@contextmanager
def _collection_postponed() -> Iterator[None]:
    """Let the collector look once at what is made inside, not again for every 700 objects of it.

    Looking through the half-made copies of a long thread took longer than making them.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _copies(bodies: Sequence[Body], codec: Codec) -> list[Any]:
    known = [body for body in bodies if body.fields is not None]
    messages = list(map(_new, [body.kind for body in known]))
    fields = list(map(dict.copy, [body.fields for body in bodies if body.fields is not None]))
    for copied, body in zip(fields, known, strict=True):
        for name, make in body.empty:
            copied[name] = make()
        for name in body.full:
            copied[name] = _copied(copied[name])
    _each(_set_fields, messages, fields)
    _each(_set_fields_set, messages, map(set, fields))
    _each(_set_extra, messages, [{} for _ in known])
    _each(_set_private, messages, repeat(None))
    if len(known) == len(bodies):
        return messages
    made = iter(messages)
    return [codec.decode(b.frame) if b.fields is None else next(made) for b in bodies]


def _each(work: Callable[[Any, Any], None], messages: list[Any], values: Iterable[Any]) -> None:
    deque(map(work, messages, values), maxlen=0)


def is_held(value: Any, body: Body) -> bool:
    """Whether serialising ``value`` would give ``body`` again."""
    return are_held([value], [body.kind], [body.fields], [(0, body)] if body.exact else [])


def are_held(
    values: Sequence[Any],
    kinds: Sequence[type | None],
    fields: Sequence[dict[str, Any] | None],
    exact: Iterable[tuple[int, Body]],
) -> bool:
    """Whether serialising ``values`` would give messages of these kinds and fields again.

    Args:
        values: what a graph holds.
        kinds: the class of each message.
        fields: its fields.
        exact: those of the messages with exact fields, each with its number.
    """
    if list(map(type, values)) != kinds:
        return False
    try:
        return (
            [value.__dict__ for value in values] == fields
            and not any(map(_EXTRA, values))
            and all(_image(values[n].__dict__, body.exact) == body.image for n, body in exact)
        )
    except Exception:  # the graph's objects may refuse to be compared, as arrays do
        return False


def _image(fields: dict[str, Any], names: Sequence[str]) -> bytes:
    # 1 == True == 1.0, but they are not the same data.
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


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copied(held) for key, held in value.items()}
    if kind is list:
        return [_copied(held) for held in value]
    return value
