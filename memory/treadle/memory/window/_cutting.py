"""Showing a message or a turn that is too long in part, so that it fits."""

import json
import math
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from treadle.memory.window._history import aside
from treadle.memory.window._refs import ref_of
from treadle.memory.window._tokens import CHARS_PER_TOKEN, Counter

LEAST_RESULT_TOKENS = 60
_HEAD_SHARE = 0.75
_SHRINK = 0.8


class Cutter:
    """Cuts messages, for one prompt.

    Args:
        count: counts tokens.
        reads_on: whether the model has a tool to read what is left out.
    """

    def __init__(self, count: Counter, *, reads_on: bool) -> None:
        self._count = count
        self._reads_on = reads_on
        # Messages are counted many times over; holding them keeps their identities theirs.
        self._counted: dict[int, tuple[BaseMessage, int]] = {}

    def size(self, messages: Sequence[BaseMessage]) -> int:
        """Return the tokens of the messages, each counted by itself."""
        return sum(map(self._tokens, messages))

    def _tokens(self, message: BaseMessage) -> int:
        known = self._counted.get(id(message))
        if known is None:
            known = self._counted[id(message)] = (message, self._count([message]))
        return known[1]

    def message(
        self, message: BaseMessage, limit: int, whole: BaseMessage | None = None
    ) -> BaseMessage:
        """Return the message, or its beginning and end in at most ``limit`` tokens.

        A limit that not even the bare message fits into is passed.

        Args:
            message: the message.
            limit: the tokens.
            whole: what is read on in, where ``message`` is part of it already.
        """
        whole = whole or message
        if self._tokens(message) <= limit:
            return message
        if isinstance(message, AIMessage) and message.tool_calls:
            message = _with_short_arguments(message, limit // 2 // len(message.tool_calls))
            if self._tokens(message) <= limit:
                return message
        pictures = _pictures(message)
        if pictures and self._tokens(_with(message, pictures)) > limit // 2:
            pictures = []
        # What has no id is not in the transcript.
        ref = ref_of(whole) if self._reads_on and whole.id else None
        return self._shortened(message, pictures, limit, ref)

    def _shortened(
        self, message: BaseMessage, pictures: list[Any], limit: int, ref: str | None
    ) -> BaseMessage:
        text = message.text
        room = min(len(text), max(0, limit) * CHARS_PER_TOKEN)
        while True:
            shown = _part(text, room, ref)
            cut = _with(message, [*pictures, _text_block(shown)] if pictures else shown)
            if room == 0 or self._tokens(cut) <= limit:
                return cut
            room = int(room * _SHRINK)

    def turn(self, turn: Sequence[BaseMessage], limit: int, most: int) -> list[BaseMessage]:
        """Return the turn in at most ``limit`` tokens, no message of it over ``most``.

        The question always stays. Steps are left out from the oldest on, and a call only together
        with its result.
        """
        whole = _steps(turn)
        question, *steps = [[self.message(message, most) for message in step] for step in whole]
        if self.size(question) > limit:
            question = [self.message(whole[0][0], min(limit, most))]
        sizes = [self.size(step) for step in steps]
        room = limit - self.size(question)
        if sum(sizes) <= room:
            return [message for step in (question, *steps) for message in step]
        gone = min(to_drop(sizes, room - self._tokens(_LEFT_OUT)), len(steps) - 1)
        if gone:
            question = [*question, _left_out(gone)]
            room = limit - self.size(question)
        shown = steps[gone:]
        if sum(sizes[gone:]) > room:
            shown = [self._step(whole[-1], room, most)]
        return [message for step in (question, *shown) for message in step]

    def _step(self, step: Sequence[BaseMessage], limit: int, most: int) -> list[BaseMessage]:
        """Return a step with as many of its calls as fit, the results cut to the same length."""
        said, results = step[0], list(step[1:])
        if not isinstance(said, AIMessage) or not results:
            return [self.message(said, min(limit, most))] if self._tokens(_LEFT_OUT) < limit else []
        for kept in _halvings(len(results)):
            first = self.message(_with_calls(said, kept), min(limit // 2, most), said)
            room = limit - self._tokens(first)
            if room < kept * LEAST_RESULT_TOKENS:
                continue
            level = min(most, _level([self._tokens(result) for result in results[:kept]], room))
            shown = [first, *(self.message(result, level) for result in results[:kept])]
            if self.size(shown) <= limit:
                return shown
        return []


def _part(text: str, room: int, ref: str | None) -> str:
    if not text or not room:
        return "[…]" if text else ""
    head = math.ceil(room * _HEAD_SHARE)
    tail = len(text) - (room - head)
    more = f"; read_more(ref={ref!r}, offset={head}) reads on" if ref else ""
    note = f"[… characters {head:,} to {tail:,} of {len(text):,} are left out{more} …]"
    return f"{text[:head]}\n{note}\n{text[tail:]}"


def to_drop(sizes: Sequence[int], room: int) -> int:
    """Return how many of the oldest pieces must go for the others to fit into ``room``.

    It is half a room or more that goes at a time, counted from the oldest piece, so that the same
    pieces stay while more are added.
    """
    over = sum(sizes) - room
    if over <= 0:
        return 0
    half = max(1, room // 2)
    going = math.ceil(over / half) * half
    dropped = 0
    for number, size in enumerate(sizes):
        if dropped >= going:
            return number
        dropped += size
    return len(sizes)


def _steps(turn: Sequence[BaseMessage]) -> list[list[BaseMessage]]:
    """Return what comes before the model spoke, and then each of its messages with the results."""
    steps: list[list[BaseMessage]] = [[]]
    for message in turn:
        if isinstance(message, AIMessage) or (isinstance(message, HumanMessage) and len(steps) > 1):
            steps.append([])
        steps[-1].append(message)
    return steps


def _level(sizes: Sequence[int], room: int) -> int:
    """Return the greatest length to which the pieces can be cut so that they fit into ``room``."""
    left = room
    ordered = sorted(sizes)
    for number, size in enumerate(ordered):
        share = left // (len(ordered) - number)
        if size > share:
            return share
        left -= size
    return max(ordered, default=room)


def _halvings(number: int) -> list[int]:
    """Return the number, and what is left of it on the way down to 1."""
    found = []
    while number > 1:
        found.append(number)
        number = max(1, int(number * _SHRINK))
    return [*found, 1]


def _with_calls(message: AIMessage, kept: int) -> AIMessage:
    left_out = len(message.tool_calls) - kept
    if not left_out:
        return message
    note = f"[{left_out} more calls of this step and their results are not shown]"
    text = f"{message.text}\n{note}".strip()
    return message.model_copy(
        update={
            "content": text,
            "tool_calls": message.tool_calls[:kept],
            "additional_kwargs": _without_raw_calls(message),
        }
    )


def _with_short_arguments(message: AIMessage, limit: int) -> AIMessage:
    room = max(20, limit * CHARS_PER_TOKEN // 2)
    calls = [
        call if len(repr(call["args"])) <= room else {**call, "args": _short(call["args"], room)}
        for call in message.tool_calls
    ]
    return message.model_copy(
        update={
            "content": message.text,
            "tool_calls": calls,
            "additional_kwargs": _without_raw_calls(message),
        }
    )


def _short(arguments: object, room: int) -> dict[str, str]:
    return {"cut": json.dumps(arguments, ensure_ascii=True, default=str)[:room] + "…"}


def _without_raw_calls(message: AIMessage) -> dict[str, Any]:
    return {key: value for key, value in message.additional_kwargs.items() if key != "tool_calls"}


def _pictures(message: BaseMessage) -> list[Any]:
    if isinstance(message.content, str):
        return []
    return [
        block
        for block in message.content
        if isinstance(block, dict) and block.get("type") in ("image", "image_url")
    ]


def _with(message: BaseMessage, content: str | list[Any]) -> BaseMessage:
    return message.model_copy(update={"content": content})


def _text_block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _left_out(steps: int) -> HumanMessage:
    return aside(f"[{steps} earlier steps of this turn are not shown]")


_LEFT_OUT = _left_out(1_000)
