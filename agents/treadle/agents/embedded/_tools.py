"""The tools a model is offered, and what each is good for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from treadle.core.errors import ModelError

MAX_QUERY_CHARS = 200


class Use(Enum):
    """What a tool is good for, as its name and description say."""

    CALCULATE = "calculate"
    TIME = "tell the time"
    DOCUMENTS = "documents"
    ENCYCLOPAEDIA = "encyclopaedia"
    WEB = "web"
    OTHER_SEARCH = "other"
    NONE = "none"


@dataclass(frozen=True)
class OfferedTool:
    """A tool as the model is told of it.

    Attributes:
        name: its name.
        use: what it is good for; `Use.NONE` when it is never called unasked.
        argument: the one text it is given; empty when it takes none.
        needs_argument: whether it cannot be called without.
        takes_question: whether it wants a whole question rather than key words.
        max_chars: how long the argument may be.
    """

    name: str
    use: Use
    argument: str = ""
    needs_argument: bool = False
    takes_question: bool = False
    max_chars: int = MAX_QUERY_CHARS

    def arguments(self, text: str) -> dict[str, str]:
        """Return the arguments of a call with that text."""
        return {self.argument: text[: self.max_chars]} if self.argument and text else {}


@dataclass(frozen=True)
class Offer:
    """The tools of one call, and what is said about using them.

    Attributes:
        tools: the tools that can be called with at most one text, in the order they were given.
        required: whether one must be called.
        named: the one that must be called; empty when any may.
        forbidden: whether none may be called.
    """

    tools: tuple[OfferedTool, ...] = ()
    required: bool = False
    named: str = ""
    forbidden: bool = False

    def usable(self) -> tuple[OfferedTool, ...]:
        """Return the tools that may be called unasked."""
        if self.forbidden:
            return ()
        return tuple(tool for tool in self.tools if tool.use is not Use.NONE)

    def first(self, use: Use) -> OfferedTool | None:
        """Return the first tool that is good for that."""
        return next((tool for tool in self.usable() if tool.use is use), None)


def read_offer(tools: Sequence[Mapping[str, Any]], choice: object) -> Offer:
    """Read the tools and the tool choice of a call, in OpenAI's notation.

    Raises:
        ModelError: the choice names a tool that is not offered or cannot be called with one text.
    """
    functions = [tool["function"] for tool in tools if isinstance(tool.get("function"), Mapping)]
    offered = [read for function in functions if (read := _read(function))]
    if isinstance(choice, Mapping):
        function = choice.get("function")
        choice = function.get("name") if isinstance(function, Mapping) else choice.get("type")
    if choice in (None, False, "auto", ""):
        return Offer(tuple(offered))
    if choice == "none":
        return Offer(tuple(offered), forbidden=True)
    if choice in (True, "any", "required"):
        if not offered:
            raise _cannot_call("any of the tools offered")
        return Offer(tuple(offered), required=True)
    if not any(tool.name == choice for tool in offered):
        raise _cannot_call(f"the tool {choice!r}")
    return Offer(tuple(offered), required=True, named=str(choice))


def _cannot_call(what: str) -> ModelError:
    return ModelError(
        f"The embedded model cannot call {what}: it only calls tools that need one text.",
        hint=CONFIGURE_A_MODEL,
    )


CONFIGURE_A_MODEL = (
    "Configure a language model, for example with TREADLE_MODEL=openai:gpt-5-mini and its key in "
    "OPENAI_API_KEY."
)

_ARGUMENT = re.compile(
    r"query|question|^q$|search|text|topic|title|term|keyword|input|phrase|subject|prompt|name"
    r"|expression|formula|zone|city|place|location|region",
    re.IGNORECASE,
)


def _read(function: Mapping[str, Any]) -> OfferedTool | None:
    """Return the tool, or ``None`` when it cannot be called with one text."""
    name = str(function.get("name", ""))
    described = str(function.get("description") or "")[:2_000]
    schema = function.get("parameters") or {}
    properties = schema.get("properties") or {}
    required = [str(part) for part in schema.get("required") or []]
    texts = [part for part in properties if _is_text(properties[part])]
    if len(required) > 1 or (required and required[0] not in texts):
        return None
    argument = required[0] if required else next(filter(_ARGUMENT.search, texts), "")
    about = properties.get(argument) or {}
    return OfferedTool(
        name=name,
        use=_use(name, described, bool(argument)),
        argument=argument,
        needs_argument=bool(required),
        takes_question="question" in argument.lower(),
        max_chars=min(int(about.get("maxLength") or MAX_QUERY_CHARS), MAX_QUERY_CHARS),
    )


def _is_text(about: object) -> bool:
    if not isinstance(about, Mapping) or "enum" in about or "pattern" in about:
        return False
    if isinstance(kinds := about.get("anyOf"), list):
        return any(_is_text(kind) for kind in kinds)
    return about.get("type") == "string" and about.get("format") is None


_CAUSES_EFFECTS = re.compile(
    r"(?:^|_)(?:send|delete|remove|create|write|update|post|put|pay|buy|book|order|publish|execute"
    r"|exec|run|set|add|insert|upload|email|mail|drop|kill|stop|start|restart|deploy|transfer|move"
    r"|rename|save|store|remember|forget|cancel|submit|schedule|call|notify|reply|edit"
    r"|patch)(?:_|$)",
    re.IGNORECASE,
)
_USES: tuple[tuple[Use, str, str], ...] = (
    (Use.CALCULATE, r"calculat|arithmetic|(?:^|_)math", r"^(?:calculate|compute|evaluate)\b"),
    (
        Use.TIME,
        r"current_?(?:time|date)|(?:^|_)(?:now|clock|today)(?:$|_)|get_time|^time$|^date$",
        r"\bcurrent (?:date|time|weekday)|\btime now\b",
    ),
    (Use.ENCYCLOPAEDIA, r"wiki|encyclop", r"\b(?:wikipedia|encyclop\w+)\b"),
    (Use.DOCUMENTS, r"doc(?:s|ument)|knowledge|notes|files|corpus|library|manual|handbook|rag", ""),
    (Use.WEB, r"web|internet|google|bing|duckduck|news|tavily", ""),
    (Use.DOCUMENTS, "", r"\b(?:documents?|documentation|your files|knowledge base|the files)\b"),
    (Use.WEB, "", r"\b(?:the (?:web|internet)|web search|web pages)\b"),
    (
        Use.OTHER_SEARCH,
        r"search|find|look_?up|retriev|query|(?:^|_)(?:get|read|ask|list|fetch)(?:_|$)",
        r"^\W*(?:search|find|look|retrieve|query|get|read|return|list|fetch|answer)\w*\b",
    ),
)


def _use(name: str, described: str, takes_text: bool) -> Use:
    snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).replace("-", "_")
    for use, by_name, by_description in _USES:
        if (by_name and re.search(by_name, snake, re.IGNORECASE)) or (
            by_description and re.search(by_description, described, re.IGNORECASE)
        ):
            if use is not Use.TIME and not takes_text:
                return Use.NONE
            return Use.NONE if _CAUSES_EFFECTS.search(snake) else use
    return Use.NONE
