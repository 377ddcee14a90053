"""What went wrong, in the protocol's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from a2a.utils.error_handlers import build_error_details, build_rest_error_payload
from a2a.utils.errors import (
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    InternalError,
    InvalidParamsError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import ParseError

from treadle.core.errors import RedisError, RunError, TreadleError, UnknownNameError, UserError
from treadle.server._problems import ProblemError


@contextmanager
def in_its_words() -> Iterator[None]:
    """Say what goes wrong inside in the protocol's words.

    Raises:
        A2AError: in place of what was raised.
    """
    try:
        yield
    except (TreadleError, ProblemError, ParseError) as error:
        raise _told(error) from error


def _told(error: TreadleError | ProblemError | ParseError) -> A2AError:
    if isinstance(error, ProblemError):
        return TaskNotFoundError(str(error.detail))
    if isinstance(error, UnknownNameError):
        return TaskNotFoundError(str(error))
    if isinstance(error, RedisError):  # It names addresses, which nobody else need know.
        return InternalError("Redis cannot be reached, or refused a command.")
    if isinstance(error, UserError | ParseError):
        return InvalidParamsError(str(error))
    return UnsupportedOperationError(str(error)) if _is_state(error) else InternalError(str(error))


def _is_state(error: Exception) -> bool:
    return isinstance(error, RunError)


def status_of(error: A2AError) -> int:
    """Return the HTTP status of an error."""
    code: int = build_rest_error_payload(error)["error"]["code"]
    return code


def http_error(error: A2AError) -> dict[str, Any]:
    """Return an error as HTTP+JSON tells it."""
    payload: dict[str, Any] = build_rest_error_payload(error)
    return payload


def rpc_error(error: A2AError) -> dict[str, Any]:
    """Return an error as JSON-RPC tells it."""
    code = JSON_RPC_ERROR_CODE_MAP.get(type(error), -32603)
    return {"code": code, "message": error.message, "data": build_error_details(error)}
