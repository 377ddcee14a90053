"""Reading a request's body within bounds."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message, Receive

_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
"""Strings, whole, and brackets. An unclosed string is taken to the end: time stays linear."""


class BadBodyError(Exception):
    """A body is refused.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large and how slow a body may be.

    Attributes:
        bytes: how long.
        depth: how deep JSON may be nested.
        seconds: how long it may take to arrive.
    """

    bytes: int
    depth: int
    seconds: float


async def bounded(headers: Mapping[str, str], receive: Receive, limits: BodyLimits) -> Receive:
    """Receive a whole body and return what hands it on.

    Raises:
        BadBodyError: it is too long, too slow, nested too deeply, or holds half a character.
    """
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return receive
    _check_length(headers.get("content-length", "0"), limits)
    try:
        async with asyncio.timeout(limits.seconds):
            body, last = await _received(receive, limits)
    except TimeoutError:
        raise BadBodyError(
            408, f"The body did not arrive within {limits.seconds:g} seconds."
        ) from None
    if last is not None:
        return _first(last, receive)
    _check_depth(body, limits)
    _check_characters(body)
    return _first({"type": "http.request", "body": body, "more_body": False}, receive)


def check_message(text: bytes, limits: BodyLimits) -> None:
    """Hold a message that came whole to the bounds of a body.

    Raises:
        BadBodyError: it is too long, nested too deeply, or holds half a character.
    """
    if len(text) > limits.bytes:
        raise _too_long(limits)
    _check_depth(text, limits)
    _check_characters(text)


async def _received(receive: Receive, limits: BodyLimits) -> tuple[bytes, Message | None]:
    """Return the body, or the message that says that nobody sends it any more."""
    pieces: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"", message
        pieces.append(message.get("body", b""))
        length += len(pieces[-1])
        if length > limits.bytes:
            raise _too_long(limits)
        if not message.get("more_body"):
            return b"".join(pieces), None


def _first(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def handed_on() -> Message:
        return waiting.pop() if waiting else await receive()

    return handed_on


def _check_length(announced: str, limits: BodyLimits) -> None:
    if not announced.isascii() or not announced.isdigit():
        raise BadBodyError(400, "Content-Length is not a number.")
    if len(announced) > 15 or int(announced) > limits.bytes:
        raise _too_long(limits)


def _check_depth(body: bytes, limits: BodyLimits) -> None:
    if body.count(b"[") + body.count(b"{") <= limits.depth:
        return
    depth = 0
    for match in _BRACKETS.finditer(body):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > limits.depth:
                raise BadBodyError(422, f"The body is nested more than {limits.depth} levels deep.")
        elif token in b"]}":
            depth -= 1


def _check_characters(body: bytes) -> None:
    """Refuse half of a pair of escapes: it is no character, and nothing can store it."""
    if b"\\u" not in body:
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadBodyError(422, "A string of the body holds half of a surrogate pair.") from None
    except (ValueError, RecursionError):
        return  # It is no JSON: whoever reads it says so.


def _too_long(limits: BodyLimits) -> BadBodyError:
    return BadBodyError(413, f"The body is longer than {limits.bytes:,} bytes.")
