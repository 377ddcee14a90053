"""What an agent is: the fields of an agent file, and of an agent made in Python."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from treadle.agents._policy import Rule
from treadle.core.json_schemas import object_schema
from treadle.core.limits import Limits
from treadle.core.scheduling import ScheduleName, ScheduleSettings
from treadle.memory.window import SummaryMode

CitationMode = Literal["mark", "report", "off"]
"""What becomes of links, quotations and numbers in an answer that no tool bears out: ``mark`` marks
them in the text, ``report`` only lists them with the reply, ``off`` does not look for them."""

_NAME = r"^[a-z][a-z0-9_-]{0,63}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemorySettings(_Part):
    """What an agent's model is shown of a conversation.

    Attributes:
        window_tokens: how long a prompt may be: instructions, tools and conversation together,
            about four characters a token.
        summary: how the turns that no longer fit are summarised: ``extract`` quotes the beginnings
            of questions and answers, ``model`` asks the agent's model, ``none`` keeps nothing.
        recall: whether earlier turns that matter for a question are shown again.
        embeddings: what earlier turns are found by beside their words: ``minilm``,
            ``fastembed:MODEL``, ``openai:MODEL`` or the profile of such a model; words alone when
            not set.
        facts: whether what is remembered about the user is looked up for a question.
        learn: whether facts that the user told are remembered by themselves after a run, at one
            more model call.
    """

    window_tokens: int = Field(default=16_000, ge=500)
    summary: SummaryMode = "extract"
    recall: bool = True
    embeddings: str | None = None
    facts: bool = True
    learn: bool = False


class Budget(Limits):
    """What one run may use, with all it starts; a field that is not set has no limit.

    Attributes:
        seconds: wall time of one execution; time spent waiting for a person is not counted.
    """

    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class ClientTool(_Part):
    """A tool that whoever asked has: a call of it is handed over, and the run waits for the result.

    Attributes:
        name: letters, digits, ``-`` and ``_``.
        description: what it does, for the model.
        parameters: the JSON schema of its arguments.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = ""
    parameters: dict[str, Any]

    @field_validator("parameters")
    @classmethod
    def _is_object_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        return object_schema(schema)


class Agent(_Part):
    """An agent: a graph, the model that reasons in it, and the tools it may call.

    Attributes:
        name: lower-case letters, digits, ``-`` and ``_``.
        description: what it is for, in a sentence.
        graph: a pattern's name, that of a graph file of the project, or ``path.py:name`` for a
            LangGraph graph in the project.
        options: the pattern's own options.
        model: a profile, ``provider:model`` or ``embedded``; the project's default when not set.
        prompt: instructions, before those of the pattern.
        tools: names of shipped tools, ``path.py:name`` for the project's own, or ``server__tool``
            for one of an MCP server, ``server__*`` for all of them.
        client_tools: tools that whoever asked has, for agents made in Python with the graph
            ``react``.
        agents: other agents of the project that it can let answer or give work to, for the graphs
            ``supervisor`` and ``route``. Each keeps to its own policy; this one's budget counts
            for all of them.
        memory: what the model is shown of the conversation.
        budget: what one run may use.
        policy: which calls of tools are made, which a person is asked about first, and which are
            refused: the first rule that fits a call decides. A call that none fits is made, as the
            agent was given the tool; end with ``tool: "*"`` and ``then: deny`` to close the list.
        output: a JSON schema that the answer must fit, or in Python a pydantic model; plain text
            without one.
        citations: what becomes of what the answer says and no source bears out.
        schedules: tasks that it does by itself, by name; no part of what a run records.
    """

    name: str = Field(pattern=_NAME)
    description: str = ""
    graph: str = "react"
    options: Mapping[str, Any] = Field(default_factory=dict)
    model: str | None = None
    prompt: str = ""
    tools: tuple[str, ...] = ()
    client_tools: tuple[ClientTool, ...] = ()
    agents: tuple[str, ...] = ()
    memory: MemorySettings = MemorySettings()
    budget: Budget = Budget()
    policy: tuple[Rule, ...] = ()
    output: dict[str, Any] | None = None
    citations: CitationMode = "mark"
    schedules: Mapping[ScheduleName, ScheduleSettings] = Field(default_factory=dict, exclude=True)

    @field_validator("tools", "agents")
    @classmethod
    def _none_twice(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is listed {names.count(name)} times")
        return names

    @field_validator("output", mode="before")
    @classmethod
    def _of_model(cls, schema: object) -> object:
        is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
        return schema.model_json_schema() if is_model else schema  # type: ignore[attr-defined]

    @field_validator("output")
    @classmethod
    def _is_object_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if schema is None else object_schema(schema, "answer")

    @classmethod
    def from_file(cls, path: Path) -> "Agent":
        """Read an agent from a YAML file; its name is the file's where it gives none.

        Raises:
            ConfigError: when the file cannot be read or does not fit, with file and line.
        """
        from treadle.agents._files import read_agent  # noqa: PLC0415 - it needs this class

        return read_agent(path)
