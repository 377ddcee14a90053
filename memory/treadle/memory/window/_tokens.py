"""How many tokens a prompt takes, without asking the model."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from pydantic import BaseModel

CHARS_PER_TOKEN = 4

Counter = Callable[[Sequence[BaseMessage]], int]
"""Counts the tokens of messages; what it says of several must be at most the sum of each."""


def count_tokens(messages: Sequence[BaseMessage]) -> int:
    """Return about how many tokens the messages take: one for four bytes, rather too many.

    LangChain's approximation (four characters a token, three tokens for each message, 85 for an
    image), and one more token for every four bytes that the text takes in UTF-8 beyond one a
    character: without that, Chinese or Greek would count for a fraction of what they are.
    """
    extra = sum(_bytes_beyond_characters(message) for message in messages)
    return count_tokens_approximately(messages) + math.ceil(extra / CHARS_PER_TOKEN)


def _bytes_beyond_characters(message: BaseMessage) -> int:
    text = str(message.text)
    calls = getattr(message, "tool_calls", None)
    if calls:
        text += repr(calls)
    return 0 if text.isascii() else len(text.encode("utf-8", "replace")) - len(text)


def count_schema(schema: object) -> int:
    """Return about how many tokens the schema of an answer takes; none for no schema."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        schema = schema.model_json_schema()
    return 0 if schema is None else len(json.dumps(schema, default=repr)) // CHARS_PER_TOKEN + 1


class ToolCount:
    """Counts the tokens that the schemas of tools take, once for the same tools."""

    def __init__(self) -> None:
        self._tools: tuple[Any, ...] = ()
        self._tokens = 0

    def __call__(self, tools: Sequence[Any]) -> int:
        """Return about how many tokens the tools' schemas take."""
        same = len(tools) == len(self._tools) and all(map(_is, tools, self._tools))
        if not same:
            self._tools = tuple(tools)
            self._tokens = count_tokens_approximately([], tools=list(tools)) if tools else 0
        return self._tokens


def _is(one: object, other: object) -> bool:
    return one is other
