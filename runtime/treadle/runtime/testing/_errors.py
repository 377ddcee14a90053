"""What goes wrong: a request the API refuses, and a script that did not fit its test."""

from collections.abc import Mapping
from typing import Any


class ScriptError(AssertionError):
    """The script and the requests did not match: the test, or what it tests, is wrong."""


class ApiError(Exception):
    """A request is answered with an error of the API's own shape.

    Attributes:
        status: HTTP status code.
        headers: sent with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body: ``{"error": {"message", "type", "param", "code"}}``."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the 400 that tells the client its request is wrong at ``param``."""
    return ApiError(400, message, param=param, code=code)
