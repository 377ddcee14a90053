"""Errors as problem documents (RFC 9457), whatever went wrong and wherever."""

import logging
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError as DriverError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.core.errors import RedisError, RunError, TreadleError, UnknownNameError, UserError
from treadle.server._a2a_errors import a2a_error
from treadle.server._faults import Fault, faults_of, place_of, sentence_of
from treadle.server._openai_errors import openai_error

OPENAI = "/v1/"
"""Where OpenAI's protocol is spoken, which has errors of its own form."""
A2A = "/a2a/"
"""Where the Agent2Agent protocol is spoken, likewise."""
MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("treadle.server")
Handler = Callable[[Request, Any], JSONResponse]
"""Returns the answer to a request that ended in an error."""


class Problem(BaseModel):
    """Why a request was not answered as asked (RFC 9457).

    Attributes:
        type: what kind of problem it is; ``about:blank`` where the status says it.
        title: the status in words.
        status: the HTTP status.
        detail: what was wrong, and what to do.
        errors: each thing that is wrong, where the request does not fit.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = Field(default_factory=list)


class ProblemError(HTTPException):
    """A problem, to be raised where a request is answered."""


def refused(name: str, why: str, *, place: str = "body") -> RequestValidationError:
    """Return the error that refuses a field by its name."""
    return RequestValidationError([{"loc": (place, name), "msg": why, "type": "value_error"}])


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells of a problem."""
    document = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors)
    )
    content = document.model_dump(exclude={"errors"} if not errors else None)
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def failure(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
    missing: str = "",
) -> JSONResponse:
    """Return the answer that tells of a problem, in the form of the protocol that was spoken.

    ``missing`` is the kind of thing that has no such name, where that is the problem.
    """
    if request.url.path.startswith(OPENAI):
        if missing == "model":
            return openai_error(status, detail, param=missing, code="model_not_found")
        param = place_of(errors[0]) if errors else None
        return openai_error(status, detail, param=param, headers=headers)
    if request.url.path.startswith(A2A):
        return a2a_error(status, detail, headers=headers)
    return problem(status, detail, errors=errors, headers=headers)


def status_of(error: TreadleError) -> int:
    """Return the status that says who has to act."""
    if isinstance(error, UnknownNameError):
        return 404
    if isinstance(error, UserError):
        return 422
    return 409 if isinstance(error, RunError) else 500


def answer_problems(app: FastAPI) -> None:
    """Have an application answer every error with a problem document."""

    def of_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
        headers = dict(error.headers or {})
        methods = _methods_at(request, headers) if error.status_code == 405 else []
        if methods:
            headers["Allow"] = ", ".join(methods)
        said = _said_by(request, error, methods)
        return failure(request, error.status_code, said, headers=headers)

    def of_request(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        faults = faults_of(error)
        return failure(request, 422, sentence_of(faults), errors=faults)

    def of_treadle(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, TreadleError)  # noqa: S101 - as above
        if isinstance(error, RedisError):
            return of_redis(request, error)
        missing = error.kind if isinstance(error, UnknownNameError) else ""
        return failure(request, status_of(error), str(error), missing=missing)

    def of_redis(request: Request, error: Exception) -> JSONResponse:
        _log.warning("A request was not answered: %s", error)  # It names addresses.
        return failure(request, 503, "Redis cannot be reached, or refused a command.")

    def of_defect(request: Request, error: Exception) -> JSONResponse:
        _log.error("A request was not answered, for a defect.", exc_info=error)
        return failure(request, 500, "This is a defect in Treadle; the server's log shows where.")

    handlers: dict[type[Exception], Handler] = {
        HTTPException: of_http,
        RequestValidationError: of_request,
        TreadleError: of_treadle,
        DriverError: of_redis,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(_LastResort, handlers={**handlers, Exception: of_defect})


class _LastResort:
    """Answers what failed in front of every route, and what nobody foresaw.

    Starlette would answer it too, but raise the error again: the server then cuts the connection,
    and the client's next request with it.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[type[Exception], Handler]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if has_begun:  # It must not be taken for whole.
                raise
            handler = next(self._handlers[k] for k in type(error).__mro__ if k in self._handlers)
            await handler(Request(scope), error)(scope, receive, send)


def _said_by(request: Request, error: HTTPException, methods: Sequence[str]) -> str:
    """Return what is said of an error: what its raiser said, where that says more than a status."""
    if isinstance(error.__cause__, UnicodeDecodeError):
        return "The body is not UTF-8, as JSON has to be."
    said = str(error.detail)
    if said == HTTPStatus(error.status_code).phrase:
        return _unserved(request, error.status_code, methods)
    return said


def _unserved(request: Request, status: int, methods: Sequence[str]) -> str:
    """Return what is said of a request that no route takes."""
    asked = f"{request.method} {request.url.path:.200}"
    if status == 405 and methods:
        return f"{asked} is not served here; this address is asked with {', '.join(methods)}."
    if status == 404:
        return f"{asked} is not served here; /openapi.json lists what is."
    return HTTPStatus(status).phrase


def _methods_at(request: Request, headers: Mapping[str, str]) -> list[str]:
    """Return the methods that an address is asked with: each route knows its own alone."""
    paths = request.app.openapi()["paths"]
    for template in sorted(paths, key=lambda path: str(path).count("{")):  # A literal name first.
        if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), request.url.path):
            return sorted(method.upper() for method in paths[template])
    return [one for one in headers.get("Allow", "").split(", ") if one]
