"""Runs that failed, told as OpenAI's API tells of what failed."""

import re
from typing import Any

from fastapi.responses import JSONResponse

from treadle.core.model_settings import ALL
from treadle.server._asked_settings import AskedSettings
from treadle.server._openai_errors import error_of, openai_error
from treadle.server._telling import FailedError

_NO_RETRY = {"x-should-retry": "false"}
"""The run is kept and can be resumed; asked again, its effects would be made again."""
_REFUSED = {400, 413, 422}
_TOO_MANY = 429
_BUSY = {None, 408, 409}
_SERVER_FAILED = 500
_PROVIDERS_NAMES = {"reasoning.effort": "reasoning_effort", "text.verbosity": "verbosity"}
"""What providers call a setting where their API has another place for it than ours."""


class FailedRequestError(FailedError):
    """A run failed, and whose fault that was.

    Attributes:
        status: the HTTP status: 400 where the request asked for what a model's provider refuses,
            429 and 502 where the provider is busy or fails, 500 otherwise. What the provider says
            of the server's own key is no 401 or 403: the caller's key is right.
        param: the field of the request that was refused, where that is known.
        code: which error it is.
    """

    def __init__(self, error: FailedError, asked: AskedSettings) -> None:
        super().__init__(error.message, refusal=error.refusal)
        self.status, self.param, self.code = 500, None, "run_failed"
        if error.refusal is None:
            return
        said, code = error.refusal.status, error.refusal.code
        if said == _TOO_MANY:
            self.status, self.code = _TOO_MANY, "rate_limit_exceeded"
        elif said in _BUSY or (said or 0) >= _SERVER_FAILED:
            self.status = 502
        elif said in _REFUSED:
            name = _setting_of(error, asked)
            if name is None or name in asked.values.given():  # else it is the agent's own
                self.status, self.code = 400, code or self.code
                self.param = asked.places.get(name, name) if name else None

    def answer(self) -> JSONResponse:
        """Return the answer that says so; clients are not to ask again by themselves."""
        about: dict[str, Any] = {"param": self.param, "code": self.code}
        return openai_error(self.status, str(self), **about, headers=_NO_RETRY)

    def details(self) -> dict[str, str | None]:
        """Return the error as streams hold it."""
        return error_of(self.status, str(self), self.param, self.code)

    def in_response(self) -> dict[str, str]:
        """Return the error as a response holds it, with one of the codes there are."""
        codes = {400: "invalid_prompt", _TOO_MANY: "rate_limit_exceeded"}
        return {"code": codes.get(self.status, "server_error"), "message": str(self)}


def without_answer() -> FailedRequestError:
    """Return the error of a run that ended and said nothing."""
    return FailedRequestError(FailedError("The run ended without an answer."), AskedSettings())


def _setting_of(error: FailedError, asked: AskedSettings) -> str | None:
    """Return the model setting that a provider refused; ``None`` where it refused another thing.

    Many name none: then it is the one of the request that they speak of.
    """
    param = error.refusal.param if error.refusal else ""
    if param:
        name = _PROVIDERS_NAMES.get(param, param)
        return name if name in ALL else None
    for name in asked.values.given():
        if re.search(rf"\b{name}\b", error.message):
            return name
    return None
