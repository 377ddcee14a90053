"""``/runs/{run_id}``: a run as it stands, and what people said about it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.errors import UnknownNameError
from treadle.core.shareable import shareable
from treadle.runtime import Runtime
from treadle.runtime.journal import usage_to_data
from treadle.runtime.runs import Feedback, Run, reply_to_data
from treadle.server._queries import QueriedRoute
from treadle.server.langgraph import Rt
from treadle.server.security import Ownership, current_principal

FeedbackKey = Annotated[str, Field(min_length=1, max_length=200)]
RunId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


class Said(BaseModel):
    """What somebody says about a run in one respect."""

    model_config = ConfigDict(extra="forbid")

    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    comment: Annotated[str, Field(max_length=20_000)] = ""
    correction: Any = None


class FeedbackRequest(Said):
    """What somebody says about a run."""

    key: FeedbackKey = "user_score"


class FeedbackAnswer(FeedbackRequest):
    """What somebody said about a run."""

    author: str
    created: str


class RunAnswer(BaseModel):
    """A run as it stands."""

    model_config = ConfigDict(extra="allow")

    id: str
    thread_id: str
    agent: str
    status: str
    question: str
    error: str
    feedback: list[FeedbackAnswer]


class PlannedRead(BaseModel):
    """A call of a tool that a dry run made, as it only reads."""

    tool: str
    arguments: Mapping[str, Any]


class PlannedCall(PlannedRead):
    """A call of a tool that a live run would make; ``effect`` is ``keyed`` or ``once``."""

    effect: str


class PlanAnswer(BaseModel):
    """What a live run would do.

    Attributes:
        reads: what the dry run read.
        effects: what it would do.
        reply: what it would answer, as far as effects that are described allow.
        usage: what the dry run cost, which a live run would cost too.
    """

    reads: list[PlannedRead]
    effects: list[PlannedCall]
    reply: dict[str, Any]
    usage: dict[str, Any]


runs_router = APIRouter(prefix="/runs", tags=["runs"], route_class=QueriedRoute)


@runs_router.get("/{run_id}")
async def get(rt: Rt, run_id: RunId) -> RunAnswer:
    """Return a run with what was said about it."""
    run = await _run(rt, run_id)
    said = [_answer(one) for one in await rt.runs.feedback(run.id)]
    return RunAnswer(**{**run.to_dict(), "error": shareable(run.error)}, feedback=said)


@runs_router.get("/{run_id}/plan")
async def get_plan(rt: Rt, run_id: RunId) -> PlanAnswer:
    """Return what a dry run found that is at its end: what it read, and what it would do."""
    plan = await rt.runs.plan((await _run(rt, run_id)).id)
    return PlanAnswer(
        reads=[PlannedRead(tool=one.tool, arguments=one.arguments) for one in plan.reads],
        effects=[
            PlannedCall(tool=one.tool, arguments=one.arguments, effect=one.effect.value)
            for one in plan.effects
        ],
        reply=reply_to_data(plan.reply),
        usage=usage_to_data(plan.reply.usage),
    )


@runs_router.post("/{run_id}/feedback")
async def add_feedback(rt: Rt, run_id: RunId, body: FeedbackRequest) -> FeedbackAnswer:
    """Say something about a run; the same key said again replaces what was said before."""
    run = await _run(rt, run_id)
    given = Feedback(**body.model_dump(), author=current_principal().subject)
    return _answer(await rt.runs.add_feedback(run.id, given))


@runs_router.post("/{run_id}/feedback/{key:path}")
async def add_feedback_on(
    rt: Rt, run_id: RunId, key: Annotated[FeedbackKey, Path()], body: Said
) -> FeedbackAnswer:
    """Say something about a run in the respect that its stream asked for."""
    run = await _run(rt, run_id)
    given = Feedback(**body.model_dump(), key=key, author=current_principal().subject)
    return _answer(await rt.runs.add_feedback(run.id, given))


@runs_router.get("/{run_id}/feedback")
async def get_feedback(rt: Rt, run_id: RunId) -> list[FeedbackAnswer]:
    """Return what was said about a run, oldest first."""
    run = await _run(rt, run_id)
    return [_answer(one) for one in await rt.runs.feedback(run.id)]


async def _run(rt: Runtime, run_id: str) -> Run:
    """Return a run that the caller sees; the answer names no other one.

    Raises:
        UnknownNameError: there is none.
    """
    try:
        run = await rt.runs.get(run_id)
    except UnknownNameError:
        raise UnknownNameError("run", run_id, None) from None
    if not await Ownership(rt).sees_run(run):
        raise UnknownNameError("run", run_id, None)
    return run


def _answer(feedback: Feedback) -> FeedbackAnswer:
    return FeedbackAnswer(**feedback.to_dict())
