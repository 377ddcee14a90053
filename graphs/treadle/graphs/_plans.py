"""Plans as a model writes them down, made safe to carry out."""

from collections.abc import Sequence
from typing import TypedDict

from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, ValidationError

_MAX_TASK_CHARS = 2_000
_MAX_DESCRIPTION_CHARS = 200


class Step(TypedDict):
    """A step of a plan.

    Attributes:
        id: unique in the turn.
        task: what is to be found out.
        needs: the ids of the steps whose reports it needs.
    """

    id: str
    task: str
    needs: list[str]


class _Step(BaseModel):
    id: str = Field(description="A short id, such as a number.")
    task: str = Field(description="What to find out, so that it can be understood alone.")
    needs: list[str] = Field(description="Ids of earlier steps whose reports it needs.")


class _Plan(BaseModel):
    """The steps that find out what is asked."""

    steps: list[_Step] = Field(description="The steps in their order; empty when none is needed.")


SCHEMA = _Plan.model_json_schema() | {"title": "plan"}
"""The JSON schema of a plan."""


def planned(data: object, most: int, known: Sequence[str]) -> list[Step]:
    """Return the first steps of a plan such that all of them can be carried out.

    A step may need only steps in front of it, so no two wait for each other; other needs are
    dropped. What cannot be read gives no steps.

    Args:
        data: what the model filled the schema with.
        most: how many steps to take.
        known: the ids of the steps that were carried out before.
    """
    try:
        written = _Plan.model_validate(data).steps
    except ValidationError:
        return []
    ids = dict(zip(known, known, strict=True))
    taken = set(known)
    steps: list[Step] = []
    for step in [one for one in written if one.task.strip()][:most]:
        needs = list(dict.fromkeys(ids[need] for need in step.needs if need in ids))
        ids[step.id] = _unused(step.id, taken)
        taken.add(ids[step.id])
        steps.append(Step(id=ids[step.id], task=step.task.strip()[:_MAX_TASK_CHARS], needs=needs))
    return steps


def _unused(name: str, taken: set[str]) -> str:
    """Return the id, or one made of it where another step has it already."""
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name}-{number}", number + 1
    return unused


def tool_list(tools: Sequence[BaseTool]) -> str:
    """Return what a planner is told of the tools."""
    if not tools:
        return "Tools: none; each step is worked out by reasoning alone."
    lines = [
        f"- {tool.name}: {' '.join(tool.description.split())[:_MAX_DESCRIPTION_CHARS]}"
        for tool in tools
    ]
    return "\n".join(["Tools:", *lines])
