"""The addresses of the protocol; what needs the SDK is loaded when one is asked."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from treadle.agents import Agent
from treadle.server._problems import ProblemError
from treadle.server._serving import Served, of_request
from treadle.server.a2a._schemas import (
    JSON_RPC,
    MESSAGE,
    RPC_ANSWER,
    STREAM,
    TASKS,
    VERSION,
    Listing,
)
from treadle.server.langgraph import Rt

if TYPE_CHECKING:
    from treadle.server.a2a._speaking import Speaking as Speaker

CARD = "/.well-known/agent-card.json"
AgentName = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
TaskId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


async def _agent(rt: Rt, served: Served, agent: AgentName) -> Agent:
    """Return an agent that the caller may ask.

    Raises:
        ProblemError: there is no such protocol here.
        UnknownNameError: there is no such agent, for this caller.
    """
    if find_spec("a2a") is None:
        said = "There is no A2A here: install 'treadle[a2a]' and start the server."
        raise ProblemError(404, said)
    return served.agent_to_talk_with(rt, agent)


Asked = Annotated[Agent, Depends(_agent)]


async def _speaking(rt: Rt, agent: Asked) -> "Speaker":
    from treadle.server.a2a._speaking import Speaking  # noqa: PLC0415 - it is an extra

    return Speaking(rt, agent)


Speaking = Annotated[Any, Depends(_speaking)]
_TOLD: dict[str, Any] = {
    "responses": TASKS,
    "response_class": Response,
    "openapi_extra": VERSION,
}
_STREAMED: dict[str, Any] = {**_TOLD, "responses": STREAM}
a2a_router = APIRouter(prefix="/a2a/{agent}", tags=["a2a"])
"""The protocol's routes."""


@a2a_router.get(CARD)
async def card(request: Request, agent: Asked) -> dict[str, Any]:
    """Return the agent's card."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - as above

    from treadle.server.a2a._cards import card_of  # noqa: PLC0415 - as above

    url = str(request.url.replace(query=None)).removesuffix(CARD)
    authenticator = (await of_request(request)).guard.authenticator
    made = card_of(agent, url, requires_key=authenticator.requires_key)
    found: dict[str, Any] = MessageToDict(made)
    return found


@a2a_router.post("", response_class=JSONResponse, responses=RPC_ANSWER, openapi_extra=JSON_RPC)
async def rpc(request: Request, speaking: Speaking) -> Response:
    """Call a method by JSON-RPC; errors are told with the status 200, as JSON-RPC has it."""
    answer: Response = await speaking.rpc(request)
    return answer


@a2a_router.post("/message:send", **{**_TOLD, "openapi_extra": MESSAGE})
async def send(request: Request, speaking: Speaking) -> Response:
    """Send a message, and wait for the task's end unless told to return immediately."""
    return await _rest(speaking, request, "SendMessage", await request.body())


@a2a_router.post("/message:stream", **{**_STREAMED, "openapi_extra": MESSAGE})
async def stream(request: Request, speaking: Speaking) -> Response:
    """Send a message, and read what happens."""
    return await _rest(speaking, request, "SendStreamingMessage", await request.body())


@a2a_router.get("/tasks", **_TOLD)
async def list_tasks(
    request: Request, speaking: Speaking, query: Annotated[Listing, Query()]
) -> Response:
    """List the agent's tasks that the caller sees, the newest first."""
    given = query.model_dump(by_alias=True, exclude_none=True)
    return await _rest(speaking, request, "ListTasks", given)


@a2a_router.post("/tasks/{task_id}:cancel", **_TOLD)
async def cancel(request: Request, speaking: Speaking, task_id: TaskId) -> Response:
    """Stop a task."""
    return await _rest(speaking, request, "CancelTask", {"id": task_id})


@a2a_router.get("/tasks/{task_id}:subscribe", **_STREAMED)
@a2a_router.post("/tasks/{task_id}:subscribe", **_STREAMED)
async def subscribe(request: Request, speaking: Speaking, task_id: TaskId) -> Response:
    """Read what happens to a task from now on."""
    return await _rest(speaking, request, "SubscribeToTask", {"id": task_id})


@a2a_router.get("/tasks/{task_id}", responses=TASKS, response_class=Response, openapi_extra=VERSION)
async def get(
    request: Request,
    speaking: Speaking,
    task_id: TaskId,
    history_length: Annotated[int | None, Query(alias="historyLength")] = None,
) -> Response:
    """Return a task as it stands."""
    given = _given({"id": task_id, "historyLength": history_length})
    return await _rest(speaking, request, "GetTask", given)


_CONFIGS = "/tasks/{task_id}/pushNotificationConfigs"
_CONFIG = f"{_CONFIGS}/{{config_id}}"


@a2a_router.get(_CONFIGS, **_TOLD)
@a2a_router.post(_CONFIGS, **_TOLD)
async def configs(request: Request, speaking: Speaking, task_id: TaskId) -> Response:
    """Refuse, in the protocol's words: nobody is notified of tasks."""
    return await _rest(speaking, request, "ListTaskPushNotificationConfigs", {})


@a2a_router.get(_CONFIG, **_TOLD)
@a2a_router.delete(_CONFIG, **_TOLD)
async def config(
    request: Request, speaking: Speaking, task_id: TaskId, config_id: TaskId
) -> Response:
    """Refuse, likewise."""
    return await _rest(speaking, request, "GetTaskPushNotificationConfig", {})


@a2a_router.get("/extendedAgentCard", **_TOLD)
async def extended_card(request: Request, speaking: Speaking) -> Response:
    """Refuse: there is one card for all."""
    return await _rest(speaking, request, "GetExtendedAgentCard", {})


async def _rest(speaking: Any, request: Request, method: str, params: Any) -> Response:
    answer: Response = await speaking.rest(request, method, params)
    return answer


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
