"""Saying what a model's provider complained of, and what to do about it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from langchain_core import exceptions as langchain_errors

from treadle.core.certificates import distrust
from treadle.core.errors import (
    BrokenAnswerError,
    ModelError,
    ModelUnavailableError,
    TreadleError,
)
from treadle.core.redaction import Redactor
from treadle.core.usage import is_free_of_charge

if TYPE_CHECKING:
    from treadle.agents.models._gated import ModelInfo

_MAX_DETAIL = 500
_TOO_LONG_CODE = "context_length_exceeded"


@dataclass(slots=True)
class Attempt:
    """One attempt to get an answer.

    Attributes:
        has_begun: whether a part of the answer has arrived. A connection that fails after that
            is a broken answer, which the client itself does not ask for again.
    """

    has_begun: bool = False


@contextmanager
def explained(info: ModelInfo) -> Iterator[Attempt]:
    """Turn what the provider's client raises inside into a `ModelError` that says what to do.

    Raises:
        BrokenAnswerError: the answer broke off or could not be read; another attempt may do.
        ModelUnavailableError: the provider is busy, failing or out of reach.
        ModelError: anything else.
    """
    attempt = Attempt()
    try:
        yield attempt
    except TreadleError:
        raise
    except Exception as error:
        if attempt.has_begun and isinstance(error, _CONNECTION_LOST):
            raise _broken(error, info) from error
        raise _explain(error, info) from error


_SERVER_FAILED = 500
_REPEATED = {408, 409, 429}
_REFUSED = {400, 413, 422}
_MAX_NAME = 100

_CONNECTION_LOST = (langchain_errors.ModelConnectionError, langchain_errors.ModelTimeoutError)

_TOO_LONG = langchain_errors.ContextOverflowError
_INVALID = langchain_errors.ModelInvalidRequestError

_EXPLANATIONS: list[tuple[type[Exception], str, str]] = [
    (
        langchain_errors.ModelAuthenticationError,
        "the provider does not accept the key (401).",
        "Check the key in the environment variable {variable}.",
    ),
    (
        langchain_errors.ModelPermissionDeniedError,
        "the key is not allowed to use this model (403).",
        "Use a key of a project that has access, or another model.",
    ),
    (
        langchain_errors.ModelNotFoundError,
        "the provider{place} has no model of that name (404).",
        "Check the model's name and, if one is set, its base_url.",
    ),
    (
        _TOO_LONG,
        "the conversation is longer than the model's context.",
        "Ask a shorter question, or lower memory.window_tokens in the agent.",
    ),
    (
        langchain_errors.ModelRateLimitError,
        "the provider's rate limit or quota is used up (429).",
        "Wait a little, raise the limit, or set fallbacks in the model's profile.",
    ),
    (
        langchain_errors.ModelTimeoutError,
        "the provider{place} did not answer in time.",
        "Try again, or raise timeout_seconds in the model's profile.",
    ),
    (
        langchain_errors.ModelConnectionError,
        "the provider{place} cannot be reached.",
        "Check the network and, if one is set, base_url.",
    ),
    (
        _INVALID,
        "the provider refused the request: {detail}",
        "",
    ),
    (
        langchain_errors.ModelAPIError,
        "the provider failed: {detail}",
        "Try again later, or set fallbacks in the model's profile.",
    ),
    (NotImplementedError, "the model cannot do this: {detail}", ""),
    (TypeError, "its LangChain class failed: {detail}", "Check its options and version."),
    (AttributeError, "its LangChain class failed: {detail}", "Check its options and version."),
    (ImportError, "its LangChain class failed: {detail}", "Install the package it names."),
]
"""What each kind of failure means and what to do about it; the first that fits is used."""


def _explain(error: Exception, info: ModelInfo) -> ModelError:
    words = {
        "place": f" at {info.base_url}" if info.base_url else "",
        "variable": info.key_variable or "that holds it",
        "detail": _detail(error, info),
    }
    if (certificate := distrust(error)) is not None:
        said = f"{info.name}: the provider{words['place']} {certificate.problem}."
        return ModelUnavailableError(said, hint=certificate.hint, is_free=is_free_of_charge(error))
    told = _told(error)
    for kind, message, hint in _EXPLANATIONS:
        if isinstance(error, kind) or kind is told.kind:
            said = f"{info.name}: {message.format(**words)}"
            about: dict[str, Any] = {
                "hint": hint.format(**words),
                "is_free": is_free_of_charge(error),
                "status": told.status,
                "param": told.param,
                "code": _TOO_LONG_CODE if kind is _TOO_LONG else told.code,
            }
            if not _may_be_repeated(error):
                return ModelError(said, **about)
            return ModelUnavailableError(said, retry_after_seconds=_retry_after(error), **about)
    return _broken(error, info)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a provider's answer says of an error; LangChain has no class for each."""

    status: int | None
    param: str
    code: str

    @property
    def kind(self) -> type[Exception] | None:
        if self.code == _TOO_LONG_CODE:
            return _TOO_LONG
        return _INVALID if self.status in _REFUSED else None


def _told(error: Exception) -> _Told:
    status = getattr(error, "status_code", None)
    names = (getattr(error, name, None) for name in ("param", "code"))
    param, code = (name[:_MAX_NAME] if isinstance(name, str) else "" for name in names)
    return _Told(status if isinstance(status, int) else None, param, code)


def _headers(error: Exception) -> Mapping[str, str]:
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
    return headers


def _may_be_repeated(error: Exception) -> bool:
    """Tell whether another attempt may succeed: as the provider says, or else by its status."""
    if (advice := _headers(error).get("x-should-retry")) in {"true", "false"}:
        return advice == "true"
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status in _REPEATED or status >= _SERVER_FAILED
    return isinstance(error, _CONNECTION_LOST)


def _retry_after(error: Exception) -> float | None:
    """Return how many seconds the provider asked to wait.

    Source: RFC 9110, section 10.2.3; ``retry-after-ms`` is OpenAI's own.
    """
    headers = _headers(error)
    for name, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        with suppress(ValueError, OverflowError):
            seconds = float(headers[name]) / divisor if name in headers else math.nan
            if math.isfinite(seconds):
                return seconds
    with suppress(TypeError, ValueError, OverflowError):
        return parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
    return None


def _broken(error: Exception, info: ModelInfo) -> BrokenAnswerError:
    return BrokenAnswerError(
        f"{info.name}: the answer broke off or could not be read: {_detail(error, info)}",
        hint="Try again, or set fallbacks in the model's profile.",
    )


def _detail(error: Exception, info: ModelInfo) -> str:
    """Return what a provider said; some repeat the key that they were sent."""
    key = {info.key_variable: os.environ.get(info.key_variable, "")} if info.key_variable else {}
    clean = Redactor(key).redact_text
    if said := " ".join(clean(_said_in(getattr(error, "body", None))).split()):
        status = _told(error).status
        return said[:_MAX_DETAIL] + (f" ({status})" if status else "")
    text = " ".join(clean(str(error)).split()) or "no reason given"
    return f"{type(error).__name__}: {text[:_MAX_DETAIL]}"


def _said_in(body: object) -> str:
    """Return the message in a provider's answer; empty where it is of no known form."""
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    said = inner.get("message") if isinstance(inner, Mapping) else inner
    return said if isinstance(said, str) else ""
