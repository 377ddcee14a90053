"""What a thread is told to do in the protocol of LangChain's streams, over HTTP or a WebSocket."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, Field, Strict, ValidationError

from treadle.core.errors import RunError, TreadleError
from treadle.runtime.queue import Multitask, RunOptions, StreamMode
from treadle.runtime.runs import Run, RunStatus
from treadle.server.langgraph._answers import Body, Metadata, in_words
from treadle.server.langgraph._assistants import Assistants
from treadle.server.langgraph._records import Record
from treadle.server.langgraph._run_bodies import Changing, OneRunConfig, RunConfig, RunCreate
from treadle.server.langgraph._runs import ProtocolRuns
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads

MODES: list[StreamMode] = ["values", "updates", "messages-tuple", "tasks", "checkpoints", "custom"]
NOT_SERVED = {
    *("subscription.subscribe", "subscription.unsubscribe", "subscription.reconnect"),
    *("agent.getTree", "input.inject", "state.get", "state.listCheckpoints", "state.fork"),
}

Code = Literal[
    "invalid_argument",
    "unknown_command",
    "no_such_interrupt",
    "no_such_run",
    "no_such_subscription",
    "not_permitted",
    "not_supported",
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


class _Going(Changing):
    """How a run goes on with its answers.

    ``strict_resume`` asks that an answer to what does not wait be refused; it always is.
    """

    config: RunConfig | None = None
    metadata: Metadata | None = None
    strict_resume: bool = False


class _OneAnswer(_Answer, _Going):
    pass


class _Answers(_Going):
    responses: Annotated[list[_Answer], Field(min_length=1, max_length=100)]


_Params = TypeVar("_Params", bound=Body)


class RefusedError(Exception):
    """A command is not obeyed; the message says why."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


async def obey(rt: Rt, thread_id: str, body: Command) -> Record:
    """Do what a command says, and return its answer."""
    try:
        run_id = await _obeyed(rt, thread_id, body)
    except HTTPException as error:
        return refusal(body.id, "invalid_argument", str(error.detail))
    except RefusedError as refused:
        return refusal(body.id, refused.code, str(refused))
    except TreadleError as error:
        code: Code = "no_such_run" if isinstance(error, RunError) else "invalid_argument"
        return refusal(body.id, code, in_words(error))
    return success(body.id, {"run_id": run_id})


def success(number: int, result: Record) -> Record:
    """Return the answer to a command that was obeyed."""
    return {"type": "success", "id": number, "result": result}


def refusal(number: int | None, code: Code, message: str) -> Record:
    """Return the answer to a command that was not."""
    return {"type": "error", "id": number, "error": code, "message": message}


async def _obeyed(rt: Rt, thread_id: str, body: Command) -> str:
    if body.method == "run.start":
        start = checked(_Start, body)
        asked = _valid(body, start.run)
        if asked.config.dry_run:  # It is no part of what happens on the thread.
            raise RefusedError("not_supported", "'dry_run': ask for it at …/runs.")
        run, _ = await ProtocolRuns(rt).create(asked, thread_id, stream=True)
        return run.id
    if body.method == "input.respond":
        if "responses" in body.params:
            many = checked(_Answers, body)
            return await _answered(rt, thread_id, many.responses, many)
        one = checked(_OneAnswer, body)
        return await _answered(rt, thread_id, [one], one)
    if body.method in NOT_SERVED:
        hint = "subscribe at …/stream/events" if "subscri" in body.method else "use the routes"
        raise RefusedError("not_supported", f"{body.method} is not served here; {hint}.")
    raise RefusedError("unknown_command", f"There is no command {body.method!r}.")


def checked(kind: type[_Params], body: Command) -> _Params:
    """Return what a command needs.

    Raises:
        RefusedError: it does not hold that.
    """
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
        raise RefusedError(code, f"{body.method}: {place!r}: {reason}.") from None


async def _answered(rt: Rt, thread_id: str, answers: Sequence[_Answer], going: _Going) -> str:
    threads = ProtocolThreads(rt)
    snapshot = await threads.snapshot(await threads.record(thread_id))
    tasks = snapshot.tasks if snapshot else ()
    asked = {interrupt.id for task in tasks for interrupt in task.interrupts}
    for one in answers:
        if one.interrupt_id not in asked:
            raise RefusedError(
                "no_such_interrupt", f"Nothing waits for an answer to {one.interrupt_id!r}."
            )
    given = {one.interrupt_id: one.response for one in answers}
    for run in await rt.runs.recent(20, thread=thread_id):
        if run.status is RunStatus.INTERRUPTED:
            options = await _options(rt, run, going)
            resumed = await rt.queue.resume(run.id, given, options=options, change=going.change)
            return resumed.id
    raise RefusedError("no_such_run", "The run that asked is at its end.")


async def _options(rt: Rt, run: Run, going: _Going) -> RunOptions | None:
    """Return how a run is executed from its answer on; as before where nothing is said of it.

    What is said takes the place of what the run began with, as with a run's ``command``.
    """
    if going.config is None and going.metadata is None:
        return None
    about = await rt.runs.metadata(run)
    assistant = await Assistants(rt).get(about.get("assistant_id", run.agent))
    asked = RunCreate(
        assistant_id=assistant["assistant_id"],
        config=OneRunConfig(**(going.config or RunConfig()).model_dump()),
        metadata=going.metadata or {},
        stream_mode=MODES,
        stream_subgraphs=True,
    )
    return asked.options(assistant, stream=True, keep_values=False)
