"""Tokens: counted without a tokenizer, the same everywhere and every time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BYTES_PER_TOKEN = 4
_PROMPT_FIELDS = ("messages", "input", "instructions", "tools")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer says it used.

    Attributes:
        input_tokens: tokens of the prompt, the cached ones included.
        output_tokens: tokens of the answer, the reasoning included.
        cached_input_tokens: the part of ``input_tokens`` read from the prompt cache.
        reasoning_tokens: the part of ``output_tokens`` that was reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        if min(self.cached_input_tokens, self.reasoning_tokens) < 0:
            raise ValueError(f"token counts cannot be negative: {self}")
        if self.cached_input_tokens > self.input_tokens:
            raise ValueError(f"cached_input_tokens is a part of input_tokens: {self}")
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError(f"reasoning_tokens is a part of output_tokens: {self}")

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Billed(Tokens):
    """What a provider would have charged for: the sum over the requests it answered.

    Attributes:
        requests: requests that were charged for. Errors are not, nor are requests that got no
            byte of an answer; an answer cut off or garbled on its way is.
    """

    requests: int = 0

    def plus(self, tokens: Tokens) -> "Billed":
        """Return the bill after one more request that used ``tokens``."""
        return Billed(
            input_tokens=self.input_tokens + tokens.input_tokens,
            output_tokens=self.output_tokens + tokens.output_tokens,
            cached_input_tokens=self.cached_input_tokens + tokens.cached_input_tokens,
            reasoning_tokens=self.reasoning_tokens + tokens.reasoning_tokens,
            requests=self.requests + 1,
        )


def count_text(text: str) -> int:
    """Return one token for every four bytes of UTF-8 begun; 0 for an empty text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def count_prompt(body: Mapping[str, Any]) -> int:
    """Return the tokens of a request's messages, instructions and tools, as compact JSON."""
    prompt = {name: body[name] for name in _PROMPT_FIELDS if body.get(name)}
    return count_text(json.dumps(prompt, separators=(",", ":"), ensure_ascii=False))
