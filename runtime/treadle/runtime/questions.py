"""What a run that waits asks a person, in words, and answers that are given in words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from treadle.runtime.approvals import is_approval


def in_words(value: Any) -> str:
    """Return what an interrupt's value asks; of an approval, the call that waits for leave."""
    if is_approval(value):
        call = f"{value.get('tool', 'a tool')}({_json(value.get('arguments', {}))})"
        return f"leave to call {call} (approval {value.get('approval', '')})"
    if isinstance(value, Mapping):
        # What stands under `message` or `question` is for people, the rest for programs.
        value = next((value[name] for name in ("message", "question") if name in value), value)
    return value if isinstance(value, str) else _json(value)


def all_in_words(waiting: Sequence[Mapping[str, Any]]) -> str:
    """Return all that a run waits for; ``waiting`` as `Runs.interrupts` returns it."""
    return "; ".join(in_words(one["value"]) for one in waiting)


def answered(waiting: Sequence[Mapping[str, Any]], said: str) -> dict[str, Any] | None:
    """Return what somebody said as the answer to the first question, by the interrupt's id.

    An approval is given by a person who may give it, and is no such question: where a run waits for
    nothing else, ``None`` is returned, with which it goes on as soon as the approval was given.

    Args:
        waiting: what the run waits for, as `Runs.interrupts` returns it.
        said: the answer; a JSON object or array is taken as data, everything else as text.
    """
    for one in waiting:
        if not is_approval(one["value"]):
            return {str(one["id"]): _data_or_text(said)}
    return None


def _data_or_text(said: str) -> Any:
    if said.lstrip()[:1] not in {"{", "["}:
        return said
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return said


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
