"""Serialisation that carries data only, and says so at the first wrong type."""

from collections.abc import Collection, Iterable
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde import _msgpack as known
from langgraph.checkpoint.serde.jsonplus import (
    EXT_DELTA_SNAPSHOT,
    EXT_METHOD_SINGLE_ARG,
    EXT_NUMPY_ARRAY,
    JsonPlusSerializer,
)

from treadle.core.errors import InputError
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver._messages import rebuilt

_PLAIN_TYPES = frozenset({"null", "bytes", "bytearray", "msgpack"})
_CONSTRUCTORS = frozenset(range(6))  # the extension codes that name a class to build


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's msgpack serialisation, restricted to types that are known to be data.

    A type outside the list is refused when it is written, with its name, and again when it is
    read. Pickle and JSON records are refused.

    Args:
        allowed: further types that may be rebuilt, as classes or ``(module, name)`` pairs, beside
            LangChain's messages and documents, LangGraph's own types, and plain Python data.
    """

    def __init__(self, allowed: Iterable[tuple[str, ...] | type] = ()) -> None:
        super().__init__(allowed_msgpack_modules=tuple(allowed) or None)

    def with_msgpack_allowlist(
        self, extra_allowlist: Iterable[tuple[str, ...] | type]
    ) -> "StrictSerializer":
        """Return a serializer that also allows ``extra_allowlist``."""
        merged: set[tuple[str, ...] | type] = {*self._allowed(), *extra_allowlist}
        return StrictSerializer(merged)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the type and bytes of ``obj``.

        Raises:
            InputError: it holds something that is not data, or a type that is not allowed.
        """
        try:
            kind, data = super().dumps_typed(obj)
        except (TypeError, ValueError, RecursionError) as problem:
            reason = str(problem.__cause__ or problem) or type(problem).__name__
            raise InputError(
                f"a value of type {_name(type(obj))} cannot be stored: {reason}.",
                hint="Keep only data in the state: text, numbers, lists, dicts, messages, "
                "dataclasses or pydantic models.",
            ) from problem
        if kind == "msgpack":
            refused = self._refused(data)
            if refused:
                raise InputError(
                    f"a value holds the type {refused}, which the saver would not read back.",
                    hint="If it only carries data, allow it: "
                    f"RedisSaver(...).with_allowlist([{refused.rpartition('.')[2]}]).",
                )
        return kind, data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Rebuild what `dumps_typed` made.

        Raises:
            RecordError: the record is damaged, or asks for anything but data of allowed types.
        """
        kind, encoded = data
        if kind not in _PLAIN_TYPES:
            raise RecordError(f"it is of type {kind!r}, which is never read.", hint=_DELETE)
        message = rebuilt(encoded) if kind == "msgpack" else None
        if message is not None:
            return message
        try:
            refused = self._refused(encoded) if kind == "msgpack" else None
            if refused:
                raise RecordError(
                    f"it asks for the type {refused}, which is not allowed.",
                    hint="If your own graph wrote it, allow the type: "
                    f"RedisSaver(...).with_allowlist([{refused.rpartition('.')[2]}]). {_DELETE}",
                )
            return super().loads_typed((kind, encoded))
        except (ValueError, TypeError, RecursionError) as problem:
            raise RecordError(f"it is damaged: {problem}.", hint=_DELETE) from problem

    def _allowed(self) -> Collection[tuple[str, ...]]:
        allowed = self._allowed_msgpack_modules
        return allowed if isinstance(allowed, set) else ()

    def _refused(self, data: bytes) -> str | None:
        """Return the dotted name of a type in ``data`` that is not allowed."""
        inspector = _Inspector(self._allowed())
        inspector.look_at(data)
        return inspector.refused


class _Inspector:
    """Looks through msgpack for types that are not allowed, and builds none of them."""

    __slots__ = ("_allowed", "refused")

    def __init__(self, allowed: Collection[tuple[str, ...]]) -> None:
        self._allowed = allowed
        self.refused: str | None = None

    def look_at(self, data: bytes) -> Any:
        return ormsgpack.unpackb(data, ext_hook=self.extension, option=ormsgpack.OPT_NON_STR_KEYS)

    def extension(self, code: int, payload: bytes) -> None:
        inner = self.look_at(payload)
        if code in _CONSTRUCTORS:
            name = tuple(map(str, inner[:2]))
            if code == EXT_METHOD_SINGLE_ARG:
                name = (*name, str(inner[3]))
                is_known = name in known.SAFE_MSGPACK_METHODS
            else:
                is_known = name in known.SAFE_MSGPACK_TYPES or name in self._allowed
            if not is_known:
                self.refused = ".".join(name)
        elif code not in (EXT_DELTA_SNAPSHOT, EXT_NUMPY_ARRAY):
            self.refused = f"msgpack extension {code}"


_DELETE = "Otherwise delete the checkpoint or the thread."


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
