"""The items of a response, told one after the other as events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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

    def reasoning(self, text: str) -> Iterator[Event]:
        """Add to what the model and the server's tools did before the answer."""
        yield from self._opened("reasoning", {"summary": [], "content": []})
        yield self._about("response.reasoning_text.delta", content_index=0, delta=text)
        self._grow("reasoning_text", text)

    def text(self, text: str) -> Iterator[Event]:
        """Add to the answer."""
        yield from self._opened("message", {"role": "assistant", "content": []})
        if not self._item["content"]:
            part = {"type": "output_text", "text": "", "annotations": []}
            yield self._about("response.content_part.added", content_index=0, part=part)
        about = {"content_index": 0, "delta": text, "logprobs": []}
        yield self._about("response.output_text.delta", **about)
        self._grow("output_text", text)

    def close(self, annotations: Sequence[Mapping[str, Any]] = ()) -> Iterator[Event]:
        """End the item that grows, if one does."""
        if self._open is None:
            return
        item, content = self._item, self._item["content"]
        if item["type"] == "reasoning":
            text = content[0]["text"]
            yield self._about("response.reasoning_text.done", content_index=0, text=text)
        else:
            content[0] |= {"annotations": list(annotations)}
            text = {"content_index": 0, "text": content[0]["text"], "logprobs": []}
            yield self._about("response.output_text.done", **text)
            yield self._about("response.content_part.done", content_index=0, part=content[0])
        item["status"] = "completed"
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

    def _grow(self, kind: str, text: str) -> None:
        content = self._item["content"]
        if not content:
            content.append({"type": kind, "text": ""})
        content[0]["text"] += text

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


_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
