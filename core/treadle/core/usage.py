"""What a call or a run cost: calls, tokens and money."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


@dataclass(frozen=True, slots=True)
class Price:
    """A model's price in US dollars per million tokens."""

    input_per_million_usd: Decimal
    output_per_million_usd: Decimal
    cached_input_per_million_usd: Decimal | None = None

    def of(self, usage: Usage) -> Decimal:
        """Return the cost in US dollars of the tokens in ``usage``.

        Cached input tokens are a part of the input tokens, and cost the input price where no
        price of their own is set.
        """
        cached_price = self.cached_input_per_million_usd
        if cached_price is None:
            cached_price = self.input_per_million_usd
        fresh_tokens = usage.input_tokens - usage.cached_input_tokens
        return (
            fresh_tokens * self.input_per_million_usd
            + usage.cached_input_tokens * cached_price
            + usage.output_tokens * self.output_per_million_usd
        ) / 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls cost. Addition sums two usages.

    Attributes:
        model_calls: model calls made.
        tool_calls: tool calls made.
        input_tokens: tokens sent to models, as the providers count them.
        output_tokens: tokens received from models, reasoning included.
        cached_input_tokens: the part of ``input_tokens`` the provider read from its cache.
        reasoning_tokens: the part of ``output_tokens`` that was reasoning.
        usd: cost in US dollars of the calls whose price is known.
        unpriced_calls: calls of models and embeddings of which nobody knows what they cost, so
            ``usd`` leaves them out: no price is set, or the call broke off before the provider
            said how many tokens it took.
    """

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    usd: Decimal = Decimal(0)
    unpriced_calls: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            tool_calls=self.tool_calls + other.tool_calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            usd=self.usd + other.usd,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
        )


TOOL_CALL = Usage(tool_calls=1)
"""The usage of one tool call."""


def model_call_usage(message: AIMessage, price: Price | None) -> Usage:
    """Return the usage of the one model call that answered with ``message``.

    Args:
        message: the answer; its ``usage_metadata`` holds the provider's own token counts.
        price: the model's price, or ``None`` when it is not known.
    """
    counts = message.usage_metadata
    tokens = Usage(model_calls=1, unpriced_calls=1)
    if counts is not None:
        tokens = Usage(
            model_calls=1,
            input_tokens=counts["input_tokens"],
            output_tokens=counts["output_tokens"],
            cached_input_tokens=counts.get("input_token_details", {}).get("cache_read", 0) or 0,
            reasoning_tokens=counts.get("output_token_details", {}).get("reasoning", 0) or 0,
            unpriced_calls=1,
        )
    if price is None or counts is None:
        return tokens
    return tokens + Usage(usd=price.of(tokens), unpriced_calls=-1)


_REFUSED, _SERVER_FAILED = 400, 500
_UNCERTAIN = {408, 409, 499}


def is_free_of_charge(error: BaseException) -> bool:
    """Tell whether it is certain that a provider did nothing before its client raised ``error``.

    A refusal by status is one before any work; a timeout or a failure of the server is not. A
    connection that was never made carried nothing.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _REFUSED <= status < _SERVER_FAILED and status not in _UNCERTAIN
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in {"ConnectError", "ConnectTimeout"}:
            return True
        cause = cause.__cause__
    return False
