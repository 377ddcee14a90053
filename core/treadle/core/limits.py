"""What may be used: limits by unit, in agent files, settings and the accounts of a budget."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

MAX_COUNT = 2**52
"""The highest limit of a count: sums of two stay exact where numbers are doubles."""

MAX_USD = 4_000_000
"""The highest limit in US dollars: in billionths of a dollar it stays below `MAX_COUNT`."""


class Limits(BaseModel):
    """What may be used; a field that is not set has no limit.

    Attributes:
        model_calls: calls of a model, repeated attempts included.
        tool_calls: calls of tools.
        input_tokens: tokens sent to models, as their providers count them.
        output_tokens: tokens received from models, reasoning included.
        tokens: input and output tokens together.
        usd: US dollars; needs models whose price is set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_calls: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    tool_calls: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    input_tokens: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    output_tokens: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    tokens: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    usd: Decimal | None = Field(default=None, gt=0, le=MAX_USD)
