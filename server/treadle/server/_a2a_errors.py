"""Errors as clients of the Agent2Agent protocol read them over HTTP (``google.rpc.Status``)."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class A2aStatus(BaseModel):
    """What was wrong.

    Attributes:
        code: the HTTP status.
        status: its name in ``google.rpc.Code``.
        message: in words.
        details: the protocol's own reason, where there is one.
    """

    code: int
    status: str
    message: str
    details: list[dict[str, Any]] = Field(default_factory=list)


class A2aError(BaseModel):
    """Why a request was not answered as asked."""

    error: A2aStatus


def a2a_error(
    status: int, message: str, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the answer that tells of an error; a request that does not fit is a 400 there."""
    status = 400 if status == 422 else status
    usual = "INTERNAL" if status >= 500 else "FAILED_PRECONDITION"
    told = A2aStatus(code=status, status=_STATUSES.get(status, usual), message=message)
    return JSONResponse(A2aError(error=told).model_dump(), status, headers)
