"""What a script is made of: answers of the model, and faults of the provider or the network."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from treadle.runtime.testing._errors import ApiError
from treadle.runtime.testing._tokens import Tokens, count_text

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, as the model writes it.

    Attributes:
        name: the tool's name.
        arguments: the arguments as JSON text.
        must_be_offered: fail the test when the request offers no tool of that name.
    """

    name: str
    arguments: str
    must_be_offered: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A well-formed answer of the model.

    Attributes:
        text: what it says; may be empty beside tool calls.
        reasoning: what it thought first. Sent as a reasoning summary by ``/v1/responses``, and
            as ``reasoning_content`` by ``/v1/chat/completions``, as compatible servers do.
        refusal: why it declines, in place of a text.
        tool_calls: the calls it makes, all in one turn.
        finish: why it stopped, where that was not a tool call.
        tokens: the usage it reports; ``None`` counts it from the request and the answer.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: FinishReason = "stop"
    tokens: Tokens | None = None

    def costing(
        self,
        *,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> "Answer":
        """Return the same answer reporting this usage.

        Raises:
            ValueError: the counts are negative, or a part is larger than its whole.
        """
        if input_tokens < 0 or output_tokens < 0:
            raise ValueError(f"token counts cannot be negative: {input_tokens}, {output_tokens}")
        tokens = Tokens(input_tokens, output_tokens, cached_input_tokens, reasoning_tokens)
        return replace(self, tokens=tokens)

    def tokens_for(self, prompt_tokens: int) -> Tokens:
        """Return the usage to report for a prompt of that many tokens."""
        if self.tokens is not None:
            return self.tokens
        calls = "".join(call.name + call.arguments for call in self.tool_calls)
        reasoning_tokens = count_text(self.reasoning)
        said_tokens = count_text(self.text + self.refusal + calls)
        return Tokens(
            input_tokens=prompt_tokens,
            output_tokens=said_tokens + reasoning_tokens,
            reasoning_tokens=reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answered in place of the model's answer; nothing is billed."""

    status: int
    message: str
    kind: str
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def error(self) -> ApiError:
        """Return it as the error the server sends."""
        return ApiError(
            self.status,
            self.message,
            kind=self.kind,
            code=self.code,
            param=self.param,
            headers=self.headers,
        )


class Break(Enum):
    """How an answer ends that does not arrive whole."""

    DROP = "the connection is closed"
    HANG = "nothing more is sent"
    GARBLE = "what is sent is not JSON"


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer that does not arrive whole.

    Attributes:
        answer: what would have been sent; it is billed, except where ``after_chunks`` is ``None``.
        how: what happens instead.
        after_chunks: the events of a stream sent before that; without a stream, half the body
            is sent. ``None``: nothing is sent, not even a status line.
        max_seconds: how long a hang lasts at most; then the connection is closed.
    """

    answer: Answer
    how: Break
    after_chunks: int | None = None
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.after_chunks is not None and self.after_chunks < 0:
            raise ValueError(f"after_chunks counts events, so it cannot be {self.after_chunks}")
        if not 0 < self.max_seconds < math.inf:
            raise ValueError(f"max_seconds must be a positive number, not {self.max_seconds}")


ModelReply = Answer | Failure | Broken
"""What a model does with a request: answer, fail, or break off."""


def say(text: str, *, reasoning: str = "") -> Answer:
    """The model answers with ``text``, after thinking ``reasoning``."""
    return Answer(text=text, reasoning=reasoning)


def call(tool_name: str, /, **arguments: object) -> Answer:
    """The model calls one tool. The request must offer it; :func:`broken_call` need not.

    Raises:
        TypeError: an argument cannot be written as JSON.
    """
    return Answer(tool_calls=(ToolCall(tool_name, json.dumps(arguments, ensure_ascii=False)),))


def calls(*answers: Answer, text: str = "", reasoning: str = "") -> Answer:
    """The model makes several calls in one turn, and may say and think something beside them.

    ``calls(call("search", q="a"), call("search", q="b"), text="Looking.")``

    Raises:
        ValueError: an argument is not a plain :func:`call` or :func:`broken_call`.
    """
    for answer in answers:
        if answer != Answer(tool_calls=answer.tool_calls) or not answer.tool_calls:
            raise ValueError(f"calls() takes call(...) and broken_call(...), not {answer!r}")
    together = tuple(one for answer in answers for one in answer.tool_calls)
    return Answer(text=text, reasoning=reasoning, tool_calls=together)


def broken_call(tool_name: str, arguments: str) -> Answer:
    """The model calls a tool as it should not: one nobody offered, or with broken JSON."""
    return Answer(tool_calls=(ToolCall(tool_name, arguments, must_be_offered=False),))


def refuse(reason: str) -> Answer:
    """The model declines to answer; ``reason`` arrives as a refusal, not as a text."""
    return Answer(refusal=reason)


def cut_off(text: str, *, by: Literal["length", "content_filter"] = "length") -> Answer:
    """The model's answer stops early: at the token limit, or at the content filter."""
    return Answer(text=text, finish=by)


def fail(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Failure:
    """The provider answers with any other error; ``kind`` is the API's ``error.type``.

    Raises:
        ValueError: ``status`` is not an error status (400 to 599).
    """
    if not 400 <= status <= 599:
        raise ValueError(f"an error has a status from 400 to 599, not {status}")
    return Failure(status, message, kind, code, param, dict(headers or {}))


def rate_limited(*, retry_after_seconds: float = 1) -> Failure:
    """429 with ``Retry-After`` (whole seconds, rounded up) and ``Retry-After-Ms`` (exact).

    The official client waits that long before it tries again; a wait of 0 tells it nothing.

    Raises:
        ValueError: the wait is negative or endless.
    """
    if not 0 <= retry_after_seconds < math.inf:
        raise ValueError(f"nobody can wait {retry_after_seconds} seconds")
    milliseconds = round(retry_after_seconds * 1000)
    headers = {
        "retry-after": str(math.ceil(retry_after_seconds)),
        "retry-after-ms": str(milliseconds),
    }
    message = f"Rate limit reached for requests. Please try again in {milliseconds}ms."
    return fail(429, message, kind="rate_limit_error", code="rate_limit_exceeded", headers=headers)


def quota_exceeded() -> Failure:
    """429 that no retry mends: the account has no credit left."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return fail(429, message, kind="insufficient_quota", code="insufficient_quota")


def server_error(status: int = 500) -> Failure:
    """The provider fails: 500, or another status from 500."""
    message = "The server had an error while processing your request."
    return fail(status, message, kind="server_error")


def unauthorized() -> Failure:
    """401 for a key that the provider no longer takes."""
    return fail(401, "Incorrect API key provided.", code="invalid_api_key")


def context_too_long(*, limit_tokens: int = 128_000) -> Failure:
    """400 for a prompt that does not fit the model's context window."""
    message = f"Your input exceeds the context window of this model ({limit_tokens} tokens)."
    return fail(400, message, code="context_length_exceeded", param="messages")


def hang(
    answer: Answer | None = None, *, after_chunks: int | None = None, max_seconds: float = 60.0
) -> Broken:
    """Nothing (more) comes, until the client leaves, the server closes or the time is up.

    Args:
        answer: with ``after_chunks``, the answer whose start is sent.
        after_chunks: the events of ``answer`` that arrive; ``None`` sends nothing at all.
        max_seconds: how long it lasts at most; then the connection is closed.

    Raises:
        ValueError: ``after_chunks`` is negative, or ``max_seconds`` not positive.
    """
    return Broken(answer or say("A long silence."), Break.HANG, after_chunks, max_seconds)


def half_stream(answer: Answer | None = None, *, after_chunks: int = 2) -> Broken:
    """The connection drops after that many events of ``answer``; without a stream, mid-body."""
    return Broken(answer or say("This sentence will not reach its end."), Break.DROP, after_chunks)


def disconnect() -> Broken:
    """The connection drops before a single byte of the answer."""
    return Broken(Answer(), Break.DROP)


def malformed_json() -> Broken:
    """A 200 whose body, or whose second event, is not JSON."""
    return Broken(say("This will not parse."), Break.GARBLE, after_chunks=1)
