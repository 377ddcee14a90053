"""Requests and answers as they go over the wire, by JSON-RPC and by HTTP+JSON."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    SendMessageRequest,
    SendMessageResponse,
    SubscribeToTaskRequest,
)
from a2a.utils.constants import A2A_JSON_MEDIA_TYPE, VERSION_HEADER
from a2a.utils.errors import (
    A2AError,
    ExtendedAgentCardNotConfiguredError,
    InvalidParamsError,
    InvalidRequestError,
    JSONParseError,
    MethodNotFoundError,
    PushNotificationNotSupportedError,
    VersionNotSupportedError,
)
from a2a.utils.proto_utils import to_stream_response, validate_proto_required_fields
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from treadle.agents import Agent
from treadle.runtime import Runtime
from treadle.server._sse import EventStream, sse
from treadle.server.a2a._errors import http_error, in_its_words, rpc_error, status_of
from treadle.server.a2a._listing import list_tasks
from treadle.server.a2a._tasks import Tasks

_UNARY: dict[str, type[Message]] = {
    "SendMessage": SendMessageRequest,
    "GetTask": GetTaskRequest,
    "ListTasks": ListTasksRequest,
    "CancelTask": CancelTaskRequest,
}
_STREAMS: dict[str, type[Message]] = {
    "SendStreamingMessage": SendMessageRequest,
    "SubscribeToTask": SubscribeToTaskRequest,
}
_REFUSED: dict[str, A2AError] = {
    "GetExtendedAgentCard": ExtendedAgentCardNotConfiguredError("There is one card for all."),
    **dict.fromkeys(
        (
            "CreateTaskPushNotificationConfig",
            "GetTaskPushNotificationConfig",
            "ListTaskPushNotificationConfigs",
            "DeleteTaskPushNotificationConfig",
        ),
        PushNotificationNotSupportedError("Nobody is notified of a task; subscribe to it."),
    ),
}
_Told = Callable[[Any], Mapping[str, Any]]


class Speaking:
    """Answers requests about an agent.

    Args:
        runtime: the caller's runtime.
        agent: the agent.
    """

    def __init__(self, runtime: Runtime, agent: Agent) -> None:
        self._tasks = Tasks(runtime, agent)

    async def rest(self, request: Request, method: str, params: Any) -> Response:
        """Answer by HTTP+JSON; ``params`` are those of the method, or a body to be read."""
        try:
            _check_version(request)
            given = _object(params) if isinstance(params, bytes) else params
            if method in _STREAMS:
                return await self._streamed(method, given, dict, lambda e: sse(http_error(e)))
            result = await self._result(method, given)
            return JSONResponse(result, media_type=A2A_JSON_MEDIA_TYPE)
        except A2AError as error:
            return JSONResponse(http_error(error), status_of(error))

    async def rpc(self, request: Request) -> Response:
        """Answer by JSON-RPC 2.0."""
        id_: Any = None
        try:
            asked = _object(await request.body())
            id_ = _id_of(asked)
            _check_version(request)
            method = _method_of(asked)
            params = asked.get("params")
            given = {} if params is None else params

            def failed(error: A2AError) -> bytes:
                return sse(_rpc(id_, error=rpc_error(error)))

            if method in _STREAMS:
                return await self._streamed(
                    method, given, lambda told: _rpc(id_, result=told), failed
                )
            return JSONResponse(_rpc(id_, result=await self._result(method, given)))
        except A2AError as error:
            return JSONResponse(_rpc(id_, error=rpc_error(error)))

    async def _result(self, method: str, given: Any) -> dict[str, Any]:
        if method in _REFUSED:
            raise _REFUSED[method]
        with in_its_words():
            params: Any = _parsed(given, _UNARY[method])
            if method == "SendMessage":
                return _plain(SendMessageResponse(task=await self._tasks.send(params)))
            if method == "ListTasks":
                return _listed(await list_tasks(self._tasks, params), params.include_artifacts)
            answer: Callable[[Any], Awaitable[Message]]
            answer = self._tasks.get if method == "GetTask" else self._tasks.cancel
            return _plain(await answer(params))

    async def _streamed(
        self, method: str, given: Any, told: _Told, failed: Callable[[A2AError], bytes]
    ) -> Response:
        with in_its_words():
            params: Any = _parsed(given, _STREAMS[method])
            is_new = method == "SendStreamingMessage"
            source = (self._tasks.send_streaming if is_new else self._tasks.subscribe)(params)
            first = await anext(source)  # What is wrong with the request is told as an answer.
        return EventStream(_written(first, source, told, failed))


async def _written(
    first: Any, source: AsyncGenerator[Any], told: _Told, failed: Callable[[A2AError], bytes]
) -> AsyncGenerator[bytes]:
    async with aclosing(source):
        yield sse(told(_plain(to_stream_response(first))))
        try:
            with in_its_words():
                async for event in source:
                    yield sse(told(_plain(to_stream_response(event))))
        except A2AError as error:
            yield failed(error)


def _rpc(id_: Any, **outcome: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, **outcome}


def _plain(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message)
    return found


def _listed(response: Message, with_artifacts: bool) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(response, always_print_fields_with_no_presence=True)
    for task in found["tasks"] if not with_artifacts else ():
        task.pop("artifacts", None)
    return found


def _check_version(request: Request) -> None:
    """Refuse another version; whoever names none speaks 0.3, as the protocol has it."""
    named = request.headers.get(VERSION_HEADER) or "0.3"
    if named.partition(".")[0] != "1":
        raise VersionNotSupportedError(
            f"{VERSION_HEADER} is {named!r}; this server speaks 1.0. Send the header with '1.0'."
        )


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JSONParseError(f"The body is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidRequestError("The body is a JSON object; batches are not supported.")
    return found


def _id_of(asked: Mapping[str, Any]) -> str | int | None:
    id_ = asked.get("id")
    if id_ is None or (isinstance(id_, str | int) and not isinstance(id_, bool)):
        return id_
    raise InvalidRequestError("id is a string, an integer or null.")


def _method_of(asked: Mapping[str, Any]) -> str:
    method = asked.get("method")
    if asked.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise InvalidRequestError("jsonrpc is '2.0', and method a string.")
    if method not in {*_UNARY, *_STREAMS, *_REFUSED}:
        raise MethodNotFoundError(f"There is no method {method!r}.")
    return method


def _parsed(given: Any, kind: type[Message]) -> Message:
    """Return the parameters of a method; a field that is not known is refused by its name."""
    if not isinstance(given, dict):
        raise InvalidParamsError("The parameters are a JSON object.")
    try:
        params = ParseDict(given, kind())
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidParamsError(str(error)) from None
    validate_proto_required_fields(params)
    if getattr(params, "tenant", ""):
        raise InvalidParamsError("tenant: whose data is reached is said by the key; leave it out.")
    return params
