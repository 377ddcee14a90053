"""What a run asks of the models it calls: how they choose their words, and how many.

The ranges are those of OpenAI's API; what a provider's model takes of them may be less.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from treadle.core.errors import InputError


def _several(words: object) -> object:
    """Return one word, or a list of them, as the tuple it is kept as."""
    if isinstance(words, str):
        return (words,)
    return tuple(words) if isinstance(words, list) else words


Temperature = Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Penalty = Annotated[float, Field(strict=True, ge=-2, le=2, allow_inf_nan=False)]
MAX_SEED = 2**53 - 1
"""The greatest whole number that all readers of JSON agree on (RFC 8259, section 6)."""
Seed = Annotated[int, Field(strict=True, ge=-MAX_SEED, le=MAX_SEED)]
StopWord = Annotated[str, Field(strict=True, min_length=1, max_length=1_000)]
StopWords = Annotated[tuple[StopWord, ...], BeforeValidator(_several), Field(max_length=4)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
ModelSettingName = Literal[
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
    "reasoning_effort",
    "verbosity",
    "max_output_tokens",
]
OutputTokens = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]


class ModelSettings(BaseModel):
    """What every model call of a run is given, in place of what the model's profile says.

    What is not set stays as it is for the model.

    Attributes:
        temperature: sampling temperature, 0 to 2.
        top_p: the probability mass that words are chosen from, 0 to 1.
        presence_penalty: how much words that were said are avoided, -2 to 2.
        frequency_penalty: how much words are avoided the more often they were said, -2 to 2.
        seed: lets a provider choose the same again, as well as it can; 53 bits.
        stop: up to 4 texts, of up to 1,000 characters each, in front of which an answer ends.
        reasoning_effort: how much a model thinks before it answers.
        verbosity: how long its answers are.
        max_output_tokens: how long each answer of a model may be, up to 10,000,000 tokens; never
            more than its profile allows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: Temperature | None = None
    top_p: Probability | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: StopWords = ()
    reasoning_effort: Effort | None = None
    verbosity: Verbosity | None = None
    max_output_tokens: OutputTokens | None = None

    def given(self) -> dict[str, Any]:
        """Return what is set, as JSON holds it."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "ModelSettings":
        """Return the settings that `given` made ``data`` of.

        Raises:
            ModelSettingError: one of them is unknown or out of its range.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ModelSettingError(str(first["loc"][0]), first["msg"]) from None


ALL = frozenset(ModelSettings.model_fields)
"""The names of all settings."""


class ModelSettingError(InputError):
    """A model setting cannot be used; nothing was called.

    Attributes:
        setting: its name.
    """

    def __init__(self, setting: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"The model setting {setting!r} cannot be used: {why}.", hint=hint)
        self.setting = setting
