"""Reading a request's body within bounds."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import NoReturn

from starlette.types import Message, Receive

_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
"""Strings, whole, and brackets. An unclosed string is taken to the end: time stays linear."""
_SUSPECT = re.compile(rb"\\u|NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{200}")
"""What a body without half a character and without numbers that are none does not hold."""


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
        BadBodyError: it is too long, too slow, nested too deeply, or holds what JSON does not have.
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
    _check_values(body)
    return _first({"type": "http.request", "body": body, "more_body": False}, receive)


def check_message(text: bytes, limits: BodyLimits) -> None:
    """Hold a message that came whole to the bounds of a body.

    Raises:
        BadBodyError: it is too long, nested too deeply, or holds what JSON does not have.
    """
    if len(text) > limits.bytes:
        raise _too_long(limits)
    _check_depth(text, limits)
    _check_values(text)


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


def _check_values(body: bytes) -> None:
    """Refuse what Python reads and JSON does not have, as nothing could store it.

    It is half of a pair of escapes, which is no character, and a number that is none, or has no
    end. UTF-16 would hide either; it has a NUL in every bracket, and JSON in UTF-8 has none.
    """
    if b"\0" in body:
        raise BadBodyError(400, "The body is not UTF-8, as JSON has to be.")
    if not _SUSPECT.search(body):
        return
    try:
        held = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        json.dumps(held, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadBodyError(422, "A string of the body holds half of a surrogate pair.") from None
    except (ValueError, RecursionError):
        return  # It is no JSON: whoever reads it says so.


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise BadBodyError(422, f"The body holds {text:.40}, which is no finite number.")


def _too_long(limits: BodyLimits) -> BadBodyError:
    return BadBodyError(413, f"The body is longer than {limits.bytes:,} bytes.")
