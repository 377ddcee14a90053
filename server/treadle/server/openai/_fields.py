"""What requests of OpenAI's clients may hold."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from langchain_core.messages import AIMessage
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from treadle.core.json_schemas import object_schema

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _of_objects(schema: dict[str, Any]) -> dict[str, Any]:
    object_schema(schema)
    return schema  # As it was sent: it is told again so.


ObjectSchema = Annotated[dict[str, Any], AfterValidator(_of_objects)]
"""A JSON schema that an object can fit."""


class Part(BaseModel):
    """A part of a request; a field that is not supported is refused by its name."""

    model_config = ConfigDict(extra="forbid")


class Asking(Part):
    """A request. A field that would change nothing may be there, whatever it is.

    Attributes:
        neutral: the values of fields that are not supported, with which nothing changes.
    """

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_what_changes_nothing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {
            name: value
            for name, value in data.items()
            if name in cls.model_fields
            or not (value is None or any(value == one for one in cls.neutral.get(name, ())))
        }


class Text(Part):
    """A piece of text."""

    type: Literal["text", "input_text", "output_text"]
    text: str
    annotations: list[Any] = Field(default_factory=list)
    logprobs: list[Any] | None = None


class Refused(Part):
    """What the model said to declining an answer."""

    type: Literal["refusal"]
    refusal: str


Content = str | Annotated[list[Text], Field(max_length=1_000)]
AnswerContent = str | Annotated[list[Text | Refused], Field(max_length=1_000)]
"""What the model said; a refusal is nobody else's."""


class Function(Part):
    """A tool of the client."""

    name: ToolName
    description: str | None = None
    parameters: ObjectSchema | None = None
    strict: bool | None = None


def text_of(content: str | Sequence[Text | Refused] | None) -> str:
    """Return content as one text, without what was refused."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(piece.text for piece in content if isinstance(piece, Text))


def answer_of(
    content: str | Sequence[Text | Refused] | None, refusal: str | None = None
) -> AIMessage:
    """Return what the model said as LangChain holds it, a refusal apart from the text."""
    pieces = () if content is None or isinstance(content, str) else content
    refusal = refusal or "".join(one.refusal for one in pieces if isinstance(one, Refused))
    about = {"refusal": refusal} if refusal else {}
    return AIMessage(text_of(content), additional_kwargs=about)
