"""Values as JSON that carries data only, and back.

What JSON has no word for is an object with one key that begins with ``$``: ``$message`` (a
LangChain message), ``$tuple``, ``$bytes`` (base64), ``$decimal``, ``$float`` (one that is not
finite), ``$dict`` (pairs, where a key is no text or begins with ``$``), and ``$packed`` (a type and
base64 of what LangGraph's serialiser makes of the rest).
"""

import base64
import builtins
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from math import isfinite
from typing import Any

from langchain_core import messages as lc
from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from treadle.core import errors as treadle_errors
from treadle.core.errors import TreadleError
from treadle.core.usage import Usage
from treadle.memory.saver import StrictSerializer
from treadle.runtime.journal._errors import JournalError, RecordedError

_MESSAGES: dict[str, type[BaseMessage]] = {
    kind.model_fields["type"].default: kind
    for kind in (
        lc.AIMessage,
        lc.AIMessageChunk,
        lc.HumanMessage,
        lc.SystemMessage,
        lc.ToolMessage,
        lc.FunctionMessage,
        lc.ChatMessage,
        lc.RemoveMessage,
    )
}
_SERIALIZER = StrictSerializer()
_AS_IS = frozenset({str, int, bool, type(None)})
"""Most of what there is, which JSON holds as it is."""


def to_data(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """Return ``value`` as JSON can hold it.

    Raises:
        InputError: it holds something that is not data.
    """
    if type(value) in _AS_IS or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else {"$float": str(value)}
    if isinstance(value, list):
        return [to_data(item) for item in value]
    if type(value) is dict:
        if any(type(key) is not str or key[:1] == "$" for key in value):
            return {"$dict": [[to_data(key), to_data(item)] for key, item in value.items()]}
        return {key: to_data(item) for key, item in value.items()}
    if isinstance(value, BaseMessage) and value.type in _MESSAGES:
        fields = {name: to_data(field) for name, field in vars(value).items() if field}
        return {"$message": {"content": "", **fields, "type": value.type}}
    if type(value) is tuple:
        return {"$tuple": [to_data(item) for item in value]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    kind, packed = _SERIALIZER.dumps_typed(value)
    return {"$packed": [kind, base64.b64encode(packed).decode()]}


def from_data(data: Any) -> Any:
    """Return the value that `to_data` made ``data`` of.

    Raises:
        JournalError: it is no such data.
    """
    try:
        return _from_data(data)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as problem:
        reason = type(problem).__name__ if isinstance(problem, ValidationError) else str(problem)
        raise JournalError(f"A recorded value cannot be read: {reason}.") from problem


def _from_data(data: Any) -> Any:
    if isinstance(data, list):
        return [_from_data(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        [(key, inner)] = data.items()
        if key[:1] == "$":
            return _READERS[key](inner)
    return {key: _from_data(item) for key, item in data.items()}


def _message(data: Mapping[str, Any]) -> BaseMessage:
    fields = {name: _from_data(field) for name, field in data.items()}
    return _MESSAGES[fields["type"]](**fields)


_READERS: dict[str, Any] = {
    "$message": _message,
    "$tuple": lambda data: tuple(_from_data(item) for item in data),
    "$bytes": lambda data: base64.b64decode(data, validate=True),
    "$decimal": Decimal,
    "$float": float,
    "$dict": lambda data: {_from_data(key): _from_data(item) for key, item in data},
    "$packed": lambda data: _SERIALIZER.loads_typed(
        (data[0], base64.b64decode(data[1], validate=True))
    ),
}


_PLAIN = (str, int, float, type(None))


def error_to_data(error: BaseException) -> dict[str, Any]:
    """Return an exception as plain data: its type's name, its message and what else it tells."""
    if not isinstance(error, TreadleError):
        return {"type": type(error).__name__, "message": str(error)}
    told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    details = {
        name: value
        for name, value in vars(error).items()
        if name not in told and isinstance(value, _PLAIN)
    }
    return {**told, "details": details} if details else told


def error_from_data(data: Mapping[str, Any]) -> Exception:
    """Return an exception of the recorded kind: Treadle's own, a built-in one, or one so named."""
    name, message = str(data.get("type")), str(data.get("message", ""))
    kind = getattr(treadle_errors, name, None)
    if isinstance(kind, type) and issubclass(kind, TreadleError):
        return _own_error(kind, message, data)
    built_in = getattr(builtins, name, None)
    if isinstance(built_in, type) and issubclass(built_in, Exception):
        return built_in(message)
    made: Exception = type(name, (RecordedError,), {})(message)
    return made


def _own_error(kind: type[TreadleError], message: str, data: Mapping[str, Any]) -> TreadleError:
    hint = str(data.get("hint", ""))
    try:
        error = kind(message, hint=hint)
    except TypeError:  # Its message is made of parts that are not kept.
        error = kind.__new__(kind)
        TreadleError.__init__(error, message, hint=hint)
    details = data.get("details")
    if isinstance(details, Mapping):
        for name, value in details.items():
            if str(name).isidentifier() and not str(name).startswith("_"):
                setattr(error, str(name), value)
    return error


_USAGE = tuple(field.name for field in fields(Usage))


def usage_to_data(usage: Usage) -> dict[str, Any]:
    """Return a usage as plain data, without its zeros."""
    told = {name: n for name in _USAGE if (n := getattr(usage, name))}
    return {name: str(n) if name == "usd" else n for name, n in told.items()}


def usage_from_data(data: Mapping[str, Any]) -> Usage:
    """Return the usage that `usage_to_data` made ``data`` of.

    Raises:
        JournalError: it is no such data.
    """
    try:
        counts: dict[str, Any] = {
            name: Decimal(number) if name == "usd" else int(number) for name, number in data.items()
        }
        return Usage(**counts)
    except (TypeError, ValueError, ArithmeticError) as problem:
        raise JournalError(f"A recorded usage cannot be read: {problem}.") from problem
