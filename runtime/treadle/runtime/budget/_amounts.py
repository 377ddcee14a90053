"""Amounts by unit, as whole numbers that Redis adds up exactly."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from treadle.core.limits import Limits
from treadle.core.usage import Usage

NANO = 10**9
"""Money is counted in billionths of a US dollar: sums stay exact up to nine million dollars."""

UNITS = {
    "model_calls": "model calls",
    "tool_calls": "tool calls",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "tokens": "tokens",
    "usd": "US dollars",
}
"""The units in the order of `Amounts`, by name and as messages call them."""


class Amounts(NamedTuple):
    """How much of each unit; ``None`` where no number is set or known."""

    model_calls: int | None = 0
    tool_calls: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    tokens: int | None = 0
    nano_usd: int | None = 0

    @classmethod
    def of_limits(cls, limits: Limits) -> "Amounts":
        """Return limits as amounts; a fraction of a billionth is left out."""
        usd = limits.usd
        return cls(
            limits.model_calls,
            limits.tool_calls,
            limits.input_tokens,
            limits.output_tokens,
            limits.tokens,
            None if usd is None else int((usd * NANO).to_integral_value(ROUND_FLOOR)),
        )

    @classmethod
    def of_usage(cls, usage: Usage) -> "Amounts":
        """Return what was used as amounts; a fraction of a billionth counts as a whole one."""
        return cls(
            usage.model_calls,
            usage.tool_calls,
            usage.input_tokens,
            usage.output_tokens,
            usage.total_tokens,
            int((usage.usd * NANO).to_integral_value(ROUND_CEILING)),
        )

    @classmethod
    def read(cls, text: bytes) -> "Amounts":
        """Return the amounts that `written` wrote; `NONE` when it wrote none."""
        if not text:
            return NONE
        return cls(*(None if word == b"-" else int(word) for word in text.split()))

    def written(self) -> str:
        """Return the amounts as a script takes them."""
        return " ".join("-" if amount is None else str(amount) for amount in self)

    def plus(self, other: "Amounts", sign: int = 1) -> "Amounts":
        """Return the sum, or with ``sign`` -1 the difference; none counts as zero."""
        return Amounts(*((a or 0) + sign * (b or 0) for a, b in zip(self, other, strict=True)))

    def shown(self, unit: str) -> str:
        """Return the amount of a unit with its name, such as ``"3,000 tokens"``."""
        amount = self[list(UNITS).index(unit)] or 0
        if unit == "usd":
            return f"{(Decimal(amount) / NANO).normalize():f} {UNITS[unit]}"
        return f"{amount:,} {UNITS[unit]}"


NONE = Amounts(None, None, None, None, None, None)
"""No amount of anything is set."""
