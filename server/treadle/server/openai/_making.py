"""A response while it is made: what it holds, and the events that tell of it."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.usage import Usage
from treadle.runtime import Runtime
from treadle.server._telling import Ended, Said, kind_of
from treadle.server.openai._answering import Told, annotations_of, cut_by, ending_of
from treadle.server.openai._items import Event, Items

PREFIX = "resp_"


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a response from its beginning on.

    Attributes:
        run_id: the run that makes it.
        thread_id: the conversation.
        number: which answer of the run it is, from 1.
        created: when it was asked for, in seconds since 1970.
        asked: the request, as JSON without what it left out.
    """

    run_id: str
    thread_id: str
    number: int
    created: int
    asked: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The response's id."""
        return response_id(self.run_id, self.number)

    @property
    def is_background(self) -> bool:
        """Whether nobody waits for it."""
        return self.asked.get("background") is True

    def response(
        self, status: str, output: list[dict[str, Any]] | None = None, **known: Any
    ) -> dict[str, Any]:
        """Return the response as it is by now; what is ``known`` besides takes its place."""
        asked = self.asked
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": self.is_background,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "model": asked["model"],
            "output": output or [],
            "parallel_tool_calls": True,
            "previous_response_id": asked.get("previous_response_id"),
            "conversation": {"id": self.thread_id},
            "store": asked.get("store") is not False,
            "reasoning": asked.get("reasoning"),
            "temperature": asked.get("temperature"),
            "top_p": asked.get("top_p"),
            "tool_choice": asked.get("tool_choice", "auto"),
            "tools": [_TOOL | tool for tool in asked.get("tools", ())],
            "text": asked.get("text"),
            "truncation": "disabled",
            "metadata": asked.get("metadata", {}),
            "user": asked.get("user"),
            "usage": None,
            **known,
        }

    def first_events(self) -> list[Event]:
        """Return the events before anything happened."""
        kinds = ["created", "in_progress"]
        if self.is_background:
            kinds.insert(1, "queued")
        first = "queued" if self.is_background else "in_progress"
        statuses = [first, *kinds[1:]]
        return [
            {"type": f"response.{kind}", "response": self.response(status)}
            for kind, status in zip(kinds, statuses, strict=True)
        ]


class Making:
    """A response while it is made.

    Args:
        rt: where its run is.
        head: what is known of it.
    """

    def __init__(self, rt: Runtime, head: Head) -> None:
        self._rt = rt
        self._head = head
        self._items = Items(head.id.removeprefix(PREFIX))
        self._has_text = False

    async def events(self, one: Told) -> list[Event]:
        """Return what is to be told of what was told."""
        if isinstance(one, Said):
            self._has_text = self._has_text or one.kind != "reasoning"
            return list(self._items.say(one.kind, one.text))
        return [event async for event in self._end(one)] if isinstance(one, Ended) else []

    def failed(self, error: Mapping[str, str]) -> Event:
        """Return the end of a response whose run failed, with the error that it holds."""
        response = self._head.response("failed", self._items.done, error=error)
        return {"type": "response.failed", "response": response}

    def cancelled(self) -> Event:
        """Return the end of a response that was stopped; OpenAI has no event of its own for it."""
        response = self._head.response("cancelled", self._items.done)
        return {"type": "response.incomplete", "response": response}

    async def _end(self, ended: Ended) -> AsyncGenerator[Event]:
        reply = ended.reply
        ending = await ending_of(self._rt, reply)
        if rest := ending.after(has_answer=self._has_text):
            for event in self._items.say(kind_of(reply), rest):
                yield event
        found = [{"type": "url_citation", **one} for one in annotations_of(ending.text, reply)]
        reason = _REASONS.get(cut_by(reply))
        kind = "incomplete" if reason else "completed"
        for event in self._items.close(found, kind):
            yield event
        for call in ending.calls:
            for event in self._items.call(call):
                yield event
        known: dict[str, Any] = {"usage": _usage(reply.usage)}
        if reason:
            known["incomplete_details"] = {"reason": reason}
        response = self._head.response(kind, list(self._items.done), **known)
        yield {"type": f"response.{kind}", "response": response}


def response_id(run_id: str, number: int = 1) -> str:
    """Return the id of a run's answer."""
    return f"{PREFIX}{run_id}" if number == 1 else f"{PREFIX}{run_id}_{number}"


def parsed_id(text: str) -> tuple[str, int]:
    """Return the run that a response's id names, and which of its answers."""
    run_id, _, number = text.removeprefix(PREFIX).partition("_")
    return run_id, int(number) if number.isdecimal() and len(number) < 10 else 1


_REASONS: Mapping[str | None, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
_TOOL: Mapping[str, Any] = {"description": None, "parameters": None, "strict": None}


def _usage(usage: Usage) -> dict[str, Any]:
    read = {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": 0}
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": read,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
