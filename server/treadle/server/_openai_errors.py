"""Errors as OpenAI's clients read them."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from pydantic import BaseModel


class ErrorDetails(BaseModel):
    """What was wrong.

    Attributes:
        message: in words.
        type: what kind of error it is.
        param: the field that is wrong, where one is.
        code: which error it is, where there are several of a kind.
    """

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(BaseModel):
    """Why a request was not answered as asked."""

    error: ErrorDetails


_TYPES = {
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "not_found"),
    409: ("conflict_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def openai_error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells of an error; a request that does not fit is a 400 there."""
    status = 400 if status == 422 else status
    return JSONResponse({"error": error_of(status, message, param, code)}, status, headers)


def error_of(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> dict[str, str | None]:
    """Return an error as an object, as streams hold it as well."""
    usual = ("server_error", None) if status >= 500 else ("invalid_request_error", None)
    kind, usual_code = _TYPES.get(status, usual)
    return {"message": message, "type": kind, "param": param, "code": code or usual_code}
