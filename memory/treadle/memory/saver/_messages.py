"""LangChain's messages: what is known of them, and the short way from bytes to one."""

from collections.abc import Mapping
from typing import Any

import ormsgpack
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
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_TYPES
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2

_MESSAGES: tuple[type[BaseMessage], ...] = (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
FIELD_NAMES: Mapping[type | None, set[str]] = {kind: set(kind.model_fields) for kind in _MESSAGES}
"""The fields of the messages that have no others, so that equal fields mean equal messages."""

_BY_NAME = {
    (kind.__module__, kind.__name__): kind
    for kind in _MESSAGES
    if (kind.__module__, kind.__name__) in SAFE_MSGPACK_TYPES
}
_EXTENSION_HEADS = frozenset(b"\xc7\xc8\xc9")  # ext 8, 16 and 32


def rebuilt(data: bytes) -> BaseMessage | None:
    """Return the message that ``data`` is, or ``None`` where it is anything else or may be.

    Such data is unpacked once, where a record of any kind is first looked through for types that
    are not allowed. Nothing but a message of plain data passes.
    """
    if not data or data[0] not in _EXTENSION_HEADS:
        return None
    try:
        content = ormsgpack.unpackb(data, ext_hook=_pydantic, option=ormsgpack.OPT_NON_STR_KEYS)
        module, name, fields, _ = content
        kind = _BY_NAME.get((module, name))
        return None if kind is None else kind(**fields)
    except Exception:  # the long way says what is wrong with it
        return None


def _pydantic(code: int, payload: bytes) -> Any:
    if code != EXT_PYDANTIC_V2:
        raise ValueError
    return ormsgpack.unpackb(payload, ext_hook=_refuse, option=ormsgpack.OPT_NON_STR_KEYS)


def _refuse(code: int, payload: bytes) -> Any:
    raise ValueError
