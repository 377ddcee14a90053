"""Asking a person what became of an effect whose outcome nobody knows."""

from collections.abc import Mapping
from typing import Any

from treadle.core.calls import Call, Outcome
from treadle.core.errors import InputError
from treadle.runtime.journal._data import to_data

_REASON = "unknown_outcome"
# JSON, as it is typed on a command line or sent over HTTP.
_REPEAT = '{"repeat": true}'
_OUTCOME = '{"outcome": "what became of it"}'


def question(call: Call) -> dict[str, Any]:
    """Return what a person is asked about the call."""
    return {
        "reason": _REASON,
        "call_id": call.id,
        "tool": call.name,
        "arguments": to_data(dict(call.request)),
        "message": f"{call.name} was called, and the process ended before it returned. "
        f"Whether it took effect is not known. Answer {_REPEAT} to call it again, or {_OUTCOME}.",
    }


def answer_to(asked: Any, answer: Any) -> Any:
    """Return an answer to an interrupt as a run is resumed with it.

    An answer about an unknown outcome names its call: LangGraph hands out the answers of a task in
    the order in which they are asked for, and one call must not be repeated on another's answer.

    Args:
        asked: the interrupt's value.
        answer: what was answered. To the question for an unknown outcome that is
            ``{"repeat": True}``, or ``{"outcome": text}``, which the graph is to see.

    Raises:
        InputError: it is no answer to that question.
    """
    if not is_told(asked):
        return answer
    if isinstance(answer, Mapping):
        text = answer.get("outcome")
        is_outcome = answer.keys() == {"outcome"} and isinstance(text, str) and bool(text.strip())
        if is_outcome or (answer.keys() == {"repeat"} and answer["repeat"] is True):
            return {"reason": _REASON, "call_id": asked["call_id"], **answer}
    raise InputError(
        f"The answer {answer!r:.200} says neither 'repeat' nor 'outcome'; the run waits on.",
        hint=f"Answer {_REPEAT} or {_OUTCOME}, as JSON.",
    )


def is_told(value: Any) -> bool:
    """Tell whether it is the question what became of a call, or the answer to it."""
    return isinstance(value, Mapping) and value.get("reason") == _REASON


def outcome_of(answer: Mapping[str, Any]) -> Outcome | None:
    """Return what a person said became of a call; ``None`` to make it again."""
    if answer.get("repeat"):
        return None
    return Outcome(value=(answer["outcome"], {"sources": []}))
