"""What of a command still waits to be taken, after a run died with some of it."""

import hashlib
import json
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from treadle.runtime.journal import to_data
from treadle.runtime.runs import Change, Resumption, Run, Standing
from treadle.runtime.runs.invoking import config_of

_INTERRUPT, _RESUME = "__interrupt__", "__resume__"
"""The channels in which LangGraph keeps what a task asks, and the answers it has had."""
_NO_TASK = "00000000-0000-0000-0000-000000000000"
"""The task in whose name LangGraph keeps what commands write."""


async def standing(saver: BaseCheckpointSaver[Any], run: Run) -> Standing:
    """Return where a run's thread stands."""
    return standing_at(await saver.aget_tuple(config_of(run)))


def standing_at(latest: CheckpointTuple | None) -> Standing:
    """Return where a thread with this latest checkpoint stands.

    A task that asks twice asks under one id. The digest is of what it asks and of how many answers
    it has had, so that an answer to the first question is never given to the second.
    """
    if latest is None:
        return Standing()
    writes = latest.pending_writes or ()
    answers = {task: len(value) for task, channel, value in writes if channel == _RESUME}
    asked = {
        one.id: _digest(one.value, answers.get(task, 0))
        for task, channel, value in writes
        if channel == _INTERRUPT
        for one in value
    }
    commanded = sum(task == _NO_TASK and channel != _RESUME for task, channel, _ in writes)
    return Standing(latest.checkpoint["id"], commanded, asked)


def still_open(resumption: Resumption, now: Standing) -> tuple[dict[str, Any], Change]:
    """Return the answers whose questions are as they were, and the change if none took it."""
    asked = resumption.at.asked
    answers = {
        id_: one for id_, one in resumption.answers.items() if asked.get(id_) == now.asked.get(id_)
    }
    return answers, resumption.change if resumption.at.is_untouched(now) else Change()


def _digest(question: Any, answers: int) -> str:
    text = json.dumps([to_data(question), answers], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
