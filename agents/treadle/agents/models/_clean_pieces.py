"""Taking secrets out of an answer that is received in pieces, though their edges may cut one."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk, BaseMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from treadle.core.redaction import Redactor, StreamRedactor

_Step: TypeAlias = str | tuple[str, Any]
"""A field's name, or ``("at", place)`` in a list: what has the same place is one text."""
_Path: TypeAlias = tuple[_Step, ...]
_PARTS = ("content", "additional_kwargs", "tool_call_chunks")
_TEXT: _Step = ("at", "text")
_WHOLE = {"type", "id", "index", "name", "output_version", "model_provider"}
"""The fields that say what a text belongs to; they come whole, with every piece of it or once."""


class CleanPieces:
    """Takes secrets out of the pieces of one answer: of its text, its reasoning and its calls.

    What could be the beginning of a secret is held back until it is known to be none.

    Args:
        redactor: knows secrets; with ``None`` every piece stays as it is.
    """

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._streams: dict[_Path, StreamRedactor] = {}
        self._around: dict[_Path, dict[str, Any]] = {}

    def clean(self, piece: ChatGenerationChunk) -> ChatGenerationChunk:
        """Take the next piece, and return what can be told by now."""
        redactor, message = self._redactor, piece.message
        if redactor is None:
            return piece
        parts = {name: getattr(message, name, []) for name in _PARTS}
        clean = {name: self._fed(redactor, value, (name,)) for name, value in parts.items()}
        told, info = message.response_metadata, piece.generation_info
        metadata, about = redactor.redact(told), redactor.redact(info)
        is_last = getattr(message, "chunk_position", None) == "last"
        rest = self.rest() if is_last else None
        if rest is None and clean == parts and metadata is told and about is info:
            return piece
        if rest is not None and not clean["content"]:  # Blocks do not go behind an empty text.
            clean["content"], rest.message.content = rest.message.content, ""
        whole: BaseMessageChunk = AIMessageChunk(
            **clean,
            response_metadata=metadata,
            id=message.id,
            usage_metadata=getattr(message, "usage_metadata", None),
            chunk_position="last" if is_last else None,
        )
        if rest is not None:
            whole += rest.message
        return ChatGenerationChunk(message=whole, generation_info=about)

    def rest(self) -> ChatGenerationChunk | None:
        """Return what was held back, if anything: the answer has come to its end."""
        told: dict[_Path, str] = {path: stream.close() for path, stream in self._streams.items()}
        parts = {name: self._built((name,), told) for name in _PARTS}
        if not any(told.values()):
            return None
        given = {name: part for name, part in parts.items() if part}
        return ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **given}))

    def _fed(self, redactor: Redactor, value: Any, path: _Path) -> Any:
        if not value:
            return value
        if isinstance(value, str):
            return self._text(redactor, value, (*path, _TEXT) if path == ("content",) else path)
        if isinstance(value, Mapping):
            known = self._around.setdefault(path, {})
            known |= {name: value[name] for name in ("type", "index") if name in value}
            return {
                name: redactor.redact(part)
                if name in _WHOLE
                else self._fed(redactor, part, (*path, name))
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self._item(redactor, item, path) for item in value]
        return value

    def _item(self, redactor: Redactor, item: Any, path: _Path) -> Any:
        if not isinstance(item, Mapping):
            return self._fed(redactor, item, (*path, _TEXT))
        place = item.get("index")
        if place is None and path == ("tool_call_chunks",):
            return redactor.redact(item)  # No other piece belongs to it.
        return self._fed(
            redactor, item, (*path, ("at", item.get("type") if place is None else place))
        )

    def _text(self, redactor: Redactor, text: str, path: _Path) -> str:
        stream = self._streams.get(path)
        if stream is None:
            stream = self._streams[path] = redactor.stream()
        return stream.feed(text)

    def _built(self, path: _Path, told: Mapping[_Path, str]) -> Any:
        """Return what stands at the path, made of the texts that are told."""
        if path in told:
            return told[path]
        steps = _following(path, (known for known, text in told.items() if text))
        if not steps:
            return None
        parts = {step: self._built((*path, step), told) for step in steps}
        if path == ("content",) and steps == [_TEXT]:
            return parts[_TEXT]
        if isinstance(steps[0], tuple):
            return list(parts.values())
        named = {"name": None, "id": None} if path[0] == "tool_call_chunks" else {}
        return {**named, **self._around.get(path, {}), **parts}


def _following(path: _Path, known: Iterable[_Path]) -> list[_Step]:
    """Return the steps that follow the path, in their order, each once."""
    size = len(path)
    return list(dict.fromkeys(one[size] for one in known if len(one) > size and one[:size] == path))
