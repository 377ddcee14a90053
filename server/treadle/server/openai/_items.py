"""The items of a response, told one after the other as events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from treadle.server._turn import ClientCall

Event = dict[str, Any]


class Items:
    """The output of a response while it grows.

    Attributes:
        done: the items that are whole.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._open: dict[str, Any] | None = None
        self.done: list[dict[str, Any]] = []

    def say(self, kind: Literal["reasoning", "text", "refusal"], text: str) -> Iterator[Event]:
        """Add to the answer, to what is said in its place, or to what was done before it."""
        about: dict[str, Any] = {"content_index": 0}
        if kind == "reasoning":
            yield from self._opened("reasoning", {"summary": [], "content": []})
        else:
            yield from self._opened("message", {"role": "assistant", "content": []})
        part = _PARTS[kind]
        content = self._item["content"]
        if not content:
            content.append(dict(part))
            if kind != "reasoning":
                yield self._about("response.content_part.added", **about, part=dict(part))
        yield self._about(f"response.{part['type']}.delta", **about, delta=text, **_MORE[kind])
        content[0][_FIELDS[kind]] += text

    def close(
        self, annotations: Sequence[Mapping[str, Any]] = (), status: str = "completed"
    ) -> Iterator[Event]:
        """End the item that grows, if one does, as whole or as ``incomplete``."""
        if self._open is None:
            return
        item, [part] = self._item, self._item["content"]
        about: dict[str, Any] = {"content_index": 0}
        kind = _KINDS[part["type"]]
        said = {_FIELDS[kind]: part[_FIELDS[kind]]}
        if kind == "text":
            part["annotations"] = list(annotations)
        yield self._about(f"response.{part['type']}.done", **about, **said, **_MORE[kind])
        if kind != "reasoning":
            yield self._about("response.content_part.done", **about, part=part)
        item["status"] = status
        yield self._ended()

    def call(self, call: ClientCall) -> Iterator[Event]:
        """Add a call that the client is to make."""
        yield from self.close()
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        about = {"call_id": call.id, "name": call.name, "arguments": ""}
        yield from self._opened("function_call", about)
        yield self._about("response.function_call_arguments.delta", delta=arguments)
        self._item.update(arguments=arguments, status="completed")
        done = {"arguments": arguments, "name": call.name}
        yield self._about("response.function_call_arguments.done", **done)
        yield self._ended()

    @property
    def _item(self) -> dict[str, Any]:
        assert self._open is not None  # noqa: S101 - it was opened
        return self._open

    def _opened(self, kind: str, fields: Mapping[str, Any]) -> Iterator[Event]:
        if self._open is not None and self._open["type"] == kind:
            return
        yield from self.close()
        id_ = f"{_PREFIXES[kind]}_{self._run_id}_{len(self.done)}"
        self._open = {"id": id_, "type": kind, "status": "in_progress", **fields}
        shown = {**self._open, "content": []} if "content" in fields else dict(self._open)
        yield self._placed("response.output_item.added", item=shown)

    def _ended(self) -> Event:
        item = self._item
        event = self._placed("response.output_item.done", item=item)
        self.done.append(item)
        self._open = None
        return event

    def _about(self, kind: str, **fields: Any) -> Event:
        return self._placed(kind, item_id=self._item["id"], **fields)

    def _placed(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "output_index": len(self.done), **fields}


_PARTS: Mapping[str, Mapping[str, Any]] = {
    "reasoning": {"type": "reasoning_text", "text": ""},
    "text": {"type": "output_text", "text": "", "annotations": []},
    "refusal": {"type": "refusal", "refusal": ""},
}
_KINDS = {part["type"]: kind for kind, part in _PARTS.items()}
_FIELDS = {"reasoning": "text", "text": "text", "refusal": "refusal"}
_MORE: Mapping[str, Mapping[str, Any]] = {"reasoning": {}, "text": {"logprobs": []}, "refusal": {}}
"""What the events of a part say besides."""
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
