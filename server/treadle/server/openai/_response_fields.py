"""What requests for a response may hold."""

from typing import Annotated, Any, ClassVar, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import Discriminator, Field, Tag, field_validator

from treadle.core.model_settings import (
    Effort,
    ModelSettings,
    Probability,
    Temperature,
    Verbosity,
)
from treadle.server._asked_settings import AskedSettings
from treadle.server._turn import arguments_of
from treadle.server.openai._fields import (
    AnswerContent,
    Asking,
    Content,
    Function,
    Name,
    ObjectSchema,
    Part,
    answer_of,
    text_of,
)


class Said(Asking):
    """What somebody said."""

    type: Literal["message"] = "message"
    role: Literal["user", "system", "developer"]
    content: Content
    id: str | None = None
    status: str | None = None


class Answered(Asking):
    """What the model answered."""

    type: Literal["message"] = "message"
    role: Literal["assistant"]
    content: AnswerContent
    id: str | None = None
    status: str | None = None


class Called(Part):
    """A call that the model made before."""

    type: Literal["function_call"]
    call_id: Name
    name: Name
    arguments: str
    id: str | None = None
    status: str | None = None

    @field_validator("arguments")
    @classmethod
    def _is_object(cls, text: str) -> str:
        arguments_of(text)
        return text


class Returned(Part):
    """What a tool of the client returned."""

    type: Literal["function_call_output"]
    call_id: Name
    output: Content
    id: str | None = None
    status: str | None = None


class Thought(Part):
    """What the model thought before; it is not told again."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[Any] = Field(default_factory=list)
    content: list[Any] | None = None
    encrypted_content: None = None
    status: str | None = None


def _kind(item: Any) -> str:
    told = item if isinstance(item, dict) else getattr(item, "__dict__", {})
    found = str(told.get("type") or "message")
    return "answer" if found == "message" and told.get("role") == "assistant" else found


Item = Annotated[
    Annotated[Said, Tag("message")]
    | Annotated[Answered, Tag("answer")]
    | Annotated[Called, Tag("function_call")]
    | Annotated[Returned, Tag("function_call_output")]
    | Annotated[Thought, Tag("reasoning")],
    Discriminator(_kind),
]


class Tool(Function):
    """A tool of the client."""

    type: Literal["function"]


class TextFormat(Part):
    """The answer is text."""

    type: Literal["text"]


class SchemaFormat(Part):
    """The answer is JSON of a schema."""

    type: Literal["json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: Annotated[ObjectSchema, Field(alias="schema")]
    strict: bool | None = None


Format = Annotated[TextFormat | SchemaFormat, Field(discriminator="type")]


class TextOptions(Asking):
    """How the answer is written."""

    format: Format | None = None
    verbosity: Verbosity | None = None


class Reasoning(Asking):
    """How the model thinks before it answers."""

    effort: Effort | None = None


class Conversation(Part):
    """The thread to go on with."""

    id: Name


class ResponseRequest(Asking):
    """A response; ``conversation`` is a thread, ``previous_response_id`` the last run on one."""

    model: Name
    input: str | Annotated[list[Item], Field(min_length=1, max_length=2_000)]
    instructions: str | None = None
    previous_response_id: Name | None = None
    conversation: Name | Conversation | None = None
    stream: bool | None = False
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    text: TextOptions | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: Name | None = None
    background: bool | None = None
    neutral: ClassVar = {
        "parallel_tool_calls": (True,),
        "truncation": ("disabled",),
        "service_tier": ("auto", "default"),
        "include": ([],),
        "top_logprobs": (0,),
    }

    def asked_settings(self) -> AskedSettings:
        """Return what the agent's models are to be given."""
        values = ModelSettings(
            temperature=self.temperature,
            top_p=self.top_p,
            reasoning_effort=self.reasoning.effort if self.reasoning else None,
            verbosity=self.text.verbosity if self.text else None,
        )
        return AskedSettings(values, _PLACES)

    def as_asked(self) -> dict[str, Any]:
        """Return the request as JSON, without what it left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def instruction_texts(self) -> list[str]:
        """Return what the client tells the model, beside the agent's own instructions."""
        items = [] if isinstance(self.input, str) else self.input
        told = [i for i in items if isinstance(i, Said) and i.role in {"system", "developer"}]
        return [text for text in (self.instructions, *(text_of(i.content) for i in told)) if text]

    def messages(self) -> list[AnyMessage]:
        """Return the conversation as far as the client tells it."""
        if isinstance(self.input, str):
            return [HumanMessage(self.input)]
        messages: list[AnyMessage] = []
        for item in self.input:
            _add(messages, item)
        return messages


_PLACES = {"reasoning_effort": "reasoning.effort", "verbosity": "text.verbosity"}
"""Where model settings are in a request that have other names there."""


def _add(messages: list[AnyMessage], item: Said | Answered | Called | Returned | Thought) -> None:
    if isinstance(item, Returned):
        messages.append(ToolMessage(text_of(item.output), tool_call_id=item.call_id))
    elif isinstance(item, Called):
        called: Any = {"name": item.name, "args": arguments_of(item.arguments), "id": item.call_id}
        last = messages[-1] if messages else None
        if isinstance(last, AIMessage):  # Calls made at once are one message.
            calls = [*last.tool_calls, called]
            messages[-1] = AIMessage(last.content, tool_calls=calls)
        else:
            messages.append(AIMessage("", tool_calls=[called]))
    elif isinstance(item, Said) and item.role == "user":
        messages.append(HumanMessage(text_of(item.content)))
    elif isinstance(item, Answered):
        messages.append(answer_of(item.content))
