"""``/threads/{thread_id}/commands`` and ``…/stream/events``: a thread as one conversation."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, Strict, ValidationError

from treadle.core.errors import RunError, TreadleError
from treadle.runtime.queue import Change, Multitask
from treadle.runtime.runs import RunStatus
from treadle.server._sse import EventStream
from treadle.server.langgraph._answers import Body, Id, Metadata, Route
from treadle.server.langgraph._run_bodies import Changing, RunCreate
from treadle.server.langgraph._runs import ProtocolRuns
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.langgraph._told_thread import Subscription, ToldThread

MODES = ["values", "updates", "messages-tuple", "tasks", "checkpoints", "custom"]
NOT_SERVED = {
    *("subscription.subscribe", "subscription.unsubscribe", "subscription.reconnect"),
    *("agent.getTree", "input.inject", "state.get", "state.listCheckpoints", "state.fork"),
}

router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"], route_class=Route)

Code = Literal[
    "invalid_argument", "unknown_command", "no_such_interrupt", "no_such_run", "not_supported"
]


class Command(BaseModel):
    """A command: a number that its answer carries, a method and what it needs."""

    id: Annotated[int, Strict(), Field(ge=0, lt=2**53)]
    method: Annotated[str, Field(max_length=100)]
    params: dict[str, Any] = Field(default_factory=dict)


class _Start(Body):
    assistant_id: str
    input: dict[str, Any] | list[Any] | str | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    multitask_strategy: Multitask = "enqueue"

    def run(self) -> RunCreate:
        """Return the run; a checkpoint that its config names is where it goes on.

        Raises:
            ValidationError: its config cannot be used.
        """
        configurable = dict(self.config.get("configurable") or {})
        checkpoint_id = configurable.pop("checkpoint_id", None)
        return RunCreate.model_validate(
            {
                **self.model_dump(),
                "config": {**self.config, "configurable": configurable},
                "checkpoint_id": checkpoint_id,
                "stream_mode": MODES,
                "stream_subgraphs": True,
                "if_not_exists": "create",
            }
        )


class _Answer(Body):
    interrupt_id: str
    response: Any = None
    namespace: list[str] = Field(default_factory=list)


class _OneAnswer(_Answer, Changing):
    pass


class _Answers(Changing):
    responses: Annotated[list[_Answer], Field(min_length=1, max_length=100)]


_Params = TypeVar("_Params", bound=Body)


class _RefusedError(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@router.post("/commands")
async def command(rt: Rt, thread_id: Id, body: Command) -> JSONResponse:
    """Start a run on a thread, which is made if there is none, or answer what a run asked."""
    try:
        run_id = await _obeyed(rt, thread_id, body)
    except _RefusedError as refused:
        answer = {"type": "error", "error": refused.code, "message": str(refused)}
    except HTTPException as error:
        answer = {"type": "error", "error": "invalid_argument", "message": str(error.detail)}
    except TreadleError as error:
        code: Code = "no_such_run" if isinstance(error, RunError) else "invalid_argument"
        answer = {"type": "error", "error": code, "message": str(error)}
    else:
        return JSONResponse({"type": "success", "id": body.id, "result": {"run_id": run_id}})
    return JSONResponse({**answer, "id": body.id})


@router.post("/stream/events", response_class=EventStream, status_code=200)
async def events(rt: Rt, thread_id: Id, body: Subscription) -> EventStream:
    """Stream what a client subscribed to of what happens on a thread, over all its runs."""
    await ProtocolThreads(rt).record(thread_id)
    return EventStream(ToldThread(rt, thread_id, body).pages())


async def _obeyed(rt: Rt, thread_id: str, body: Command) -> str:
    if body.method == "run.start":
        start = _checked(_Start, body)
        run, _ = await ProtocolRuns(rt).create(_valid(body, start.run), thread_id, stream=True)
        return run.id
    if body.method == "input.respond":
        if "responses" in body.params:
            many = _checked(_Answers, body)
            return await _answered(rt, thread_id, many.responses, many.change)
        one = _checked(_OneAnswer, body)
        return await _answered(rt, thread_id, [one], one.change)
    if body.method in NOT_SERVED:
        raise _RefusedError("not_supported", f"{body.method} is not served; use the routes.")
    raise _RefusedError("unknown_command", f"There is no command {body.method!r}.")


def _checked(kind: type[_Params], body: Command) -> _Params:
    return _valid(body, lambda: kind.model_validate(body.params))


def _valid(body: Command, make: Callable[[], _Params]) -> _Params:
    try:
        return make()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "params"
        is_unknown = first["type"] == "extra_forbidden"
        code: Code = "not_supported" if is_unknown else "invalid_argument"
        reason = "it is not supported; leave it out" if is_unknown else first["msg"]
        raise _RefusedError(code, f"{body.method}: {place!r}: {reason}.") from None


async def _answered(rt: Rt, thread_id: str, answers: Sequence[_Answer], change: Change) -> str:
    threads = ProtocolThreads(rt)
    snapshot = await threads.snapshot(await threads.record(thread_id))
    tasks = snapshot.tasks if snapshot else ()
    asked = {interrupt.id for task in tasks for interrupt in task.interrupts}
    for one in answers:
        if one.interrupt_id not in asked:
            raise _RefusedError(
                "no_such_interrupt", f"Nothing waits for an answer to {one.interrupt_id!r}."
            )
    given = {one.interrupt_id: one.response for one in answers}
    for run in await rt.runs.recent(20, thread=thread_id):
        if run.status is RunStatus.INTERRUPTED:
            return (await rt.queue.resume(run.id, given, change=change)).id
    raise _RefusedError("no_such_run", "The run that asked is at its end.")
