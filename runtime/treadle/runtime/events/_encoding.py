"""What LangGraph streams, as the events of LangGraph's protocol."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message

from treadle.core.json_text import as_json
from treadle.core.redaction import Redactor
from treadle.memory.saver import unfenced
from treadle.runtime.runs import RunOptions

EVENTS = "events"
"""The stream mode that is no mode of a graph's own: the events of LangChain's callbacks."""
FEEDBACK = "feedback"
"""The name of the event that says what people are asked to say about the run."""
_TELL_CONFIGS = {"checkpoints", "debug"}
Event = tuple[str, bytes]
"""An event's name and its data as JSON."""


class Encoder:
    """Turns what a graph streams into events.

    Args:
        options: what is wanted; what else the graph streams is passed over.
        redactor: takes secrets out of what nodes and tools tell beside their results.

    Attributes:
        modes: what the graph must be asked to stream.
        has_events: whether what each of its parts does is told as well.
    """

    def __init__(self, options: RunOptions, redactor: Redactor) -> None:
        self._redactor = redactor
        self._wanted = set(options.stream)
        names = {"messages-tuple": "messages"}
        self.modes = sorted({names.get(mode, mode) for mode in self._wanted - {EVENTS}})
        self.has_events = EVENTS in self._wanted
        self._messages: dict[str, BaseMessage] = {}

    def events(self, namespace: Sequence[str], mode: str, payload: Any) -> Iterator[Event]:
        """Yield the events that a piece of the graph's stream makes."""
        if mode == "messages":
            yield from self._message_events(namespace, payload)
        elif mode in self._wanted:
            told = self._redactor.redact(payload) if mode == "custom" else _told(mode, payload)
            yield _named(mode, namespace), as_json(told)

    def happened(self, event: Mapping[str, Any]) -> Event:
        """Return the event that tells what a part of the graph does.

        It tells of a tool's insides too, before the gates have seen what it returned.
        """
        return EVENTS, as_json(self._redactor.redact(event))

    def _message_events(self, namespace: Sequence[str], payload: Any) -> Iterator[Event]:
        message, metadata = payload
        if "messages-tuple" in self._wanted:
            yield _named("messages", namespace), as_json([message, metadata])
        if "messages" not in self._wanted or message.id is None:
            return
        known = self._messages.get(message.id)
        if known is None:
            about = {message.id: {"metadata": metadata}}
            yield _named("messages/metadata", namespace), as_json(about)
        grown = message
        if isinstance(known, BaseMessageChunk) and isinstance(message, BaseMessageChunk):
            grown = known + message
        self._messages[message.id] = grown
        is_partial = isinstance(message, BaseMessageChunk)
        whole = message_chunk_to_message(grown) if is_partial else grown
        name = "messages/partial" if is_partial else "messages/complete"
        yield _named(name, namespace), as_json([whole])


def _told(mode: str, payload: Any) -> Any:
    """Return a piece as clients know it: without an attempt's token, checkpoints by their place."""
    if mode not in _TELL_CONFIGS:
        return payload
    told = unfenced(payload)
    if mode == "debug" and told["type"] == "checkpoint":
        told["payload"] |= {
            name.replace("config", "checkpoint"): (told["payload"][name] or {}).get("configurable")
            for name in ("config", "parent_config")
        }
    return told


def _named(mode: str, namespace: Sequence[str]) -> str:
    return "|".join((mode, *namespace))
