"""The messages a chat model is sent, seen as a conversation."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from treadle.core.sources import Source
from treadle.memory.window import aside_kind

MAX_MESSAGE_CHARS = 40_000
"""How much of one message of the conversation is read: half of it from each end."""

MAX_RESULT_CHARS = 120_000
"""How much of one tool's result is read, from its beginning."""


@dataclass(frozen=True)
class Result:
    """What one tool call gave back.

    Attributes:
        tool: the tool's name; empty when it is not known.
        text: what it returned.
        failed: whether it says that it failed.
        heads: the label of each source by the line that introduces it; ``None`` when the
            tool says nothing about its sources beside its text.
    """

    tool: str
    text: str
    failed: bool = False
    heads: dict[str, str] | None = None


@dataclass(frozen=True)
class Turn:
    """What a person said and what came of it.

    Attributes:
        said: the person's message.
        answer: the last thing that was answered; empty when there was no answer.
        results: what tools returned in between.
    """

    said: str
    answer: str = ""
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """A conversation up to the point where an answer is asked for.

    Attributes:
        turns: the earlier turns, oldest first.
        message: the person's last message.
        results: what tools returned since then, in order.
        called: the names of the tools called since then, in order.
        notes: lines remembered from before, as the system prompt or memory hands them over.
        only_reasoning: whether reasoning is asked for rather than an answer.
        must_finish: whether an instruction forbids further tool calls.
    """

    turns: tuple[Turn, ...] = ()
    message: str = ""
    results: tuple[Result, ...] = ()
    called: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    only_reasoning: bool = False
    must_finish: bool = False


_ONLY_REASONING = re.compile(
    r"\b(?:write|give|output) only (?:your |the )?(?:reasoning|thoughts?)\b", re.IGNORECASE
)
_FINISH = re.compile(r"^\W*(?:call|use|make) no (?:more|further) tool", re.IGNORECASE)
_NOTES_HEAD = re.compile(
    r"^\W*(?:<\w*(?:memor|fact|summar|recall)\w*>|[^.!?\n]{0,80}"
    r"\b(?:summary|remember(?:ed)?|recalled|facts|memor(?:y|ies)"
    r"|conversation so far)\b[^.!?\n]{0,80}:?)\W*$",
    re.IGNORECASE,
)


@dataclass
class _Builder:
    turns: list[Turn] = field(default_factory=list)
    said: str | None = None
    answer: str = ""
    results: list[Result] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    must_finish: bool = False

    def human(self, text: str) -> None:
        if self.said is not None and _FINISH.match(text):
            self.must_finish = True
            return
        if self.said is not None:
            self.turns.append(Turn(self.said, self.answer, tuple(self.results)))
        self.said, self.answer, self.results, self.called = text, "", [], []
        self.must_finish = False

    def model(self, message: AIMessage) -> None:
        for call in message.tool_calls:
            self.names[call["id"] or ""] = call["name"]
            self.called.append(call["name"])
        if not message.tool_calls:
            self.answer = _read(message)

    def tool(self, message: ToolMessage) -> None:
        name = message.name or self.names.get(message.tool_call_id, "")
        text = _clean(str(message.text))[:MAX_RESULT_CHARS]
        failed = message.status == "error"
        self.results.append(Result(name, text, failed, _heads(message.artifact)))


def read_conversation(messages: Sequence[BaseMessage]) -> Conversation:
    """Return the conversation that the messages hold."""
    builder = _Builder()
    system: list[str] = []
    remembered: list[str] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            system.append(_read(message))
        elif aside_kind(message) == "memory":
            remembered += _quoted(_read(message))
        elif isinstance(message, HumanMessage):
            builder.human(_read(message))
        elif isinstance(message, AIMessage):
            builder.model(message)
        elif isinstance(message, ToolMessage):
            builder.tool(message)
    instructions = "\n\n".join(system)
    return Conversation(
        turns=tuple(builder.turns),
        message=builder.said or "",
        results=tuple(builder.results),
        called=tuple(builder.called),
        notes=(*_notes(instructions), *remembered),
        only_reasoning=bool(_ONLY_REASONING.search(instructions)),
        must_finish=builder.must_finish,
    )


def _read(message: BaseMessage) -> str:
    text = str(message.text)
    if len(text) > MAX_MESSAGE_CHARS:
        half = MAX_MESSAGE_CHARS // 2
        text = f"{text[:half]}\n\n{text[-half:]}"
    return _clean(text)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def _clean(text: str) -> str:
    """Take out what no answer may carry on: control characters and halves of characters."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n"))


def _notes(instructions: str) -> tuple[str, ...]:
    """Return the lines below a heading that says they are remembered, up to an empty line."""
    notes: list[str] = []
    inside = False
    for line in instructions.split("\n"):
        if len(line) < 200 and _NOTES_HEAD.match(line):
            inside = True
        elif inside and line.strip():
            notes.append(line.strip().lstrip("-*• "))
        elif notes:
            inside = False
    return tuple(note for note in notes if not note.startswith("</"))


_QUOTE_HEAD = re.compile(r"^> (?:- )?(?:\d{4}-\d\d-\d\d \d\d:\d\d )?(?:user: )?")


def _quoted(text: str) -> list[str]:
    """Return what memory quotes, without the marks of a quotation and of the user's own words."""
    return [_QUOTE_HEAD.sub("", line) for line in text.split("\n") if line.startswith("> ")]


def _heads(artifact: Any) -> dict[str, str] | None:
    """Return the line that introduces each source, as tools render it, and the source's label."""
    if not isinstance(artifact, dict) or not isinstance(artifact.get("sources"), list):
        return None
    heads: dict[str, str] = {}
    for data in artifact["sources"]:
        try:
            source = Source.from_dict(data)
        except (KeyError, TypeError):
            continue
        place = f" ({source.locator})" if source.locator else ""
        heads[f"[^{source.label}] {source.title}{place}"] = source.label
    return heads


def arguments_text(arguments: object) -> str:
    """Return a tool call's arguments as text, the same for equal arguments."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=str)
