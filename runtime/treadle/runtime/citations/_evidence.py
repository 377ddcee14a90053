"""What an answer may rest on: the outcomes of tools, and what the user said."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from treadle.core.sources import LABEL, Source

CALCULATORS = frozenset({"calculate"})
"""Tools whose results are numbers that stand nowhere else."""


@dataclass(frozen=True, slots=True)
class ToolText:
    """What one call of a tool returned.

    Attributes:
        call_id: the call.
        tool: the tool's name.
        text: what the model was shown.
        sources: where it comes from.
    """

    call_id: str
    tool: str
    text: str
    sources: tuple[Source, ...] = ()

    @classmethod
    def of(cls, message: ToolMessage) -> list["ToolText"]:
        """Return what a tool's message holds.

        An agent's answer to another one proves nothing: what its own tools returned does.
        """
        artifact = message.artifact
        found = artifact.get("found") if isinstance(artifact, dict) else None
        if isinstance(found, list):
            return [cls._found(one) for one in found if isinstance(one, dict)]
        return [cls(message.tool_call_id, message.name or "", message.text, sources_of(artifact))]

    @classmethod
    def _found(cls, entry: dict[str, Any]) -> "ToolText":
        call_id, tool, text = (str(entry.get(name, "")) for name in ("call_id", "tool", "text"))
        return cls(call_id, tool, text, sources_of(entry))

    def passage(self, label: str) -> tuple[int, int]:
        """Return where the passage with that label begins and ends; all of it without one."""
        mark = f"[^{label}]"
        start = self.text.find(mark)
        if start < 0:
            return 0, len(self.text)
        line_end = self.text.find("\n", start)
        after = self.text.find("\n\n[^", start)
        end = len(self.text) if after < 0 else after
        return (line_end + 1 if 0 <= line_end < end else start + len(mark)), end


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that an answer may rest on.

    Attributes:
        tools: what tools returned, in this turn and before.
        asked: what the user said.
        said: what the agent said or searched for before; it may be quoted, and proves nothing.
        is_researched: whether this turn has a tool outcome that names its sources.
    """

    tools: tuple[ToolText, ...]
    asked: tuple[str, ...]
    said: tuple[str, ...]
    is_researched: bool

    @classmethod
    def of(
        cls, messages: Sequence[BaseMessage], answer: AIMessage, earlier: Iterable[ToolText] = ()
    ) -> "Evidence":
        """Return what the messages of a thread hold for an answer on it.

        Where no tool ever named a source nothing is checked, and no text is gathered.

        Args:
            messages: the thread's messages.
            answer: the message that is to be checked.
            earlier: outcomes that are no longer among the messages.
        """
        tools: dict[str, ToolText] = {text.call_id: text for text in earlier}
        kinds = set(map(type, messages))  # far sooner done than a look at each message
        if not tools and not any(issubclass(kind, ToolMessage) for kind in kinds):
            return cls((), (), (), is_researched=False)
        before = list(takewhile(lambda message: message is not answer, messages))
        is_researched = False
        for message in before:
            if isinstance(message, HumanMessage):
                is_researched = False
            elif isinstance(message, ToolMessage):
                found = ToolText.of(message)
                tools |= {one.call_id: one for one in found}
                is_researched = is_researched or any(one.sources for one in found)
        if not any(tool.sources for tool in tools.values()):
            return cls(tuple(tools.values()), (), (), is_researched=False)
        asked = tuple(message.text for message in before if isinstance(message, HumanMessage))
        said = chain.from_iterable(_said(one) for one in before if isinstance(one, AIMessage))
        return cls(tuple(tools.values()), asked, tuple(said), is_researched)

    @property
    def sources(self) -> dict[str, Source]:
        """The sources that tools returned, by label."""
        return {source.label: source for tool in self.tools for source in tool.sources}

    def texts(self) -> Iterator[str]:
        """Yield what can prove something: the texts of tools, and those of the user."""
        for tool in self.tools:
            yield LABEL.sub(" ", tool.text)
        yield from self.asked


def sources_of(artifact: Any) -> tuple[Source, ...]:
    """Return the sources in what a tool keeps beside its text; none when it is another's."""
    entries = artifact.get("sources", ()) if isinstance(artifact, dict) else ()
    return tuple(
        Source.from_dict(entry)
        for entry in (entries if isinstance(entries, list | tuple) else ())
        if isinstance(entry, dict) and "title" in entry and "uri" in entry
    )


def _said(message: AIMessage) -> Iterator[str]:
    yield message.text
    yield from _strings([call["args"] for call in message.tool_calls])


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _strings(value)
