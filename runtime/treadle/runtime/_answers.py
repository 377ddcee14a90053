"""Which answers to interrupts still wait to be taken, after a run died with some of them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.runtime.journal import to_data
from treadle.runtime.runs import Run
from treadle.runtime.runs._invoking import config_of

_INTERRUPT, _RESUME = "__interrupt__", "__resume__"
"""The channels in which LangGraph keeps what a task asks, and the answers it has had."""


async def asked(saver: BaseCheckpointSaver[Any], run: Run) -> dict[str, str]:
    """Return what each interrupt of a run's thread asks, by its id: a digest.

    A task that asks twice asks under one id. The digest is of what it asks and of how many answers
    it has had, so that an answer to the first question is never given to the second.
    """
    latest = await saver.aget_tuple(config_of(run))
    writes = (latest.pending_writes or ()) if latest is not None else ()
    answers = {task: len(value) for task, channel, value in writes if channel == _RESUME}
    return {
        one.id: _digest(one.value, answers.get(task, 0))
        for task, channel, value in writes
        if channel == _INTERRUPT
        for one in value
    }


def still_open(
    answers: Mapping[str, Any], then: Mapping[str, str], now: Mapping[str, str]
) -> dict[str, Any]:
    """Return the answers whose questions are as they were when they were given."""
    return {id_: one for id_, one in answers.items() if then.get(id_) == now.get(id_)}


def _digest(question: Any, answers: int) -> str:
    text = json.dumps([to_data(question), answers], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
