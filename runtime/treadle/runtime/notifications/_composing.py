"""What those who are told are sent, and who is told at all."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from treadle.core.notifying import NotificationSettings
from treadle.core.shareable import shareable
from treadle.runtime.journal import usage_to_data
from treadle.runtime.notifications._outbox import Message
from treadle.runtime.runs import Run, RunStatus

MAX_TEXT_CHARS = 20_000
"""How much of a question, an answer or an interrupt is sent."""


def told_of(
    settings: Mapping[str, NotificationSettings],
    run: Run,
    status: RunStatus,
    named: Collection[str],
) -> list[str]:
    """Return who is told of a run, by name.

    Args:
        settings: who can be told.
        run: the run.
        status: how it stands by now.
        named: whom the run's schedule or request named.
    """
    return [
        name
        for name, one in settings.items()
        if status.value in one.on
        and (one.runs == "all" or name in named)
        and any(fnmatchcase(run.agent, pattern) for pattern in one.agents)
    ]


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended, or that it waits.

    Attributes:
        run: the run as it was before.
        status: how it stands by now.
        attempt: the attempt that ended.
        details: what the journal says of the end, secrets taken out.
        metadata: what its schedule or request gave with it.
        moment: when it ended.
    """

    run: Run
    status: RunStatus
    attempt: int
    details: Mapping[str, Any]
    metadata: Mapping[str, Any]
    moment: datetime


def compose(target: str, end: End) -> Message:
    """Return the message of a run's end for one who is named; the same end gives the same id."""
    return _message(target, end, _told(end))


def compose_webhook(url: str, end: End) -> Message:
    """Return the message for the address that a run named: with the run in LangGraph's words."""
    why = shareable(str(end.details.get("error", "")))
    end = replace(end, details={**end.details, "error": why})
    run, failed = end.run, end.status in (RunStatus.ERROR, RunStatus.TIMEOUT)
    told = {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "assistant_id": end.metadata.get("assistant_id", run.agent),
        "status": "interrupted" if end.status is RunStatus.CANCELLED else end.status.value,
        "metadata": end.metadata.get("metadata", {}),
        "multitask_strategy": end.metadata.get("multitask_strategy", "enqueue"),
        "created_at": run.created.isoformat(),
        "updated_at": end.moment.isoformat(),
        "error": _cut(why) if failed else None,
        "webhook_sent_at": end.moment.isoformat(),
    }
    return _message(url, end, {**told, **_told(end)})


def _told(end: End) -> dict[str, Any]:
    run, details, metadata = end.run, end.details, end.metadata
    reply = details.get("reply") or {}
    data = {
        "run_id": run.id,
        "thread_id": run.thread_id,
        "agent": run.agent,
        "status": end.status.value,
        "question": _cut(run.question),
        "reply": _cut(str(reply.get("text", ""))),
        "error": _cut(str(details.get("error", ""))),
        "waits_for": [_cut(json.dumps(one, default=str)) for one in details.get("interrupts", ())],
        "usage": usage_to_data(run.usage),
        "schedule": str(metadata.get("schedule", "")),
        "fire": str(metadata.get("fire", "")),
    }
    return {"type": f"run.{end.status}", "timestamp": end.moment.isoformat(), "data": data}


def _message(target: str, end: End, body: Mapping[str, Any]) -> Message:
    run, status = end.run, end.status
    digest = hashlib.sha256(f"{run.id}:{end.attempt}:{status}:{target}".encode()).hexdigest()
    text = json.dumps(body, ensure_ascii=False, default=str)
    return Message(f"msg_{digest[:32]}", target, text, run.id, status.value, end.attempt)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}…"
