"""Runs as tasks, and messages as questions and answers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from a2a.types.a2a_pb2 import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import ContentTypeNotSupportedError
from google.protobuf.json_format import MessageToDict, ParseDict

from treadle.core.shareable import shareable
from treadle.runtime.runs import Run, RunStatus
from treadle.server._waiting import told

TEXT, JSON = "text/plain", "application/json"
_HOW = "the next message on this task is the answer"
ANSWER = "answer"
"""The id of the artifact that holds what the agent answered."""
STATES = {
    RunStatus.PENDING: TaskState.TASK_STATE_SUBMITTED,
    RunStatus.RUNNING: TaskState.TASK_STATE_WORKING,
    RunStatus.INTERRUPTED: TaskState.TASK_STATE_INPUT_REQUIRED,
    RunStatus.SUCCESS: TaskState.TASK_STATE_COMPLETED,
    RunStatus.ERROR: TaskState.TASK_STATE_FAILED,
    RunStatus.TIMEOUT: TaskState.TASK_STATE_FAILED,
    RunStatus.CANCELLED: TaskState.TASK_STATE_CANCELED,
}


def said_in(message: Message) -> str | Any:
    """Return what a message says: its text, or its data where it is one piece of data alone.

    Raises:
        ContentTypeNotSupportedError: it holds a file, or nothing.
    """
    kinds = [part.WhichOneof("content") for part in message.parts]
    if other := [str(kind) for kind in kinds if kind not in {"text", "data"}]:
        raise ContentTypeNotSupportedError(
            f"A part is {other[0]!r}; parts that are 'text' or 'data' are read."
        )
    if kinds == ["data"]:
        return _data_of(message.parts[0])
    texts = (
        part.text if kind == "text" else json.dumps(_data_of(part), ensure_ascii=False)
        for part, kind in zip(message.parts, kinds, strict=True)
    )
    return "\n".join(texts)


def _data_of(part: Part) -> Any:
    return MessageToDict(part)["data"]


def task_of(
    run: Run,
    *,
    waits_for: Sequence[Mapping[str, Any]] = (),
    reply: Mapping[str, Any] | None = None,
    history: int | None = None,
) -> Task:
    """Return a run as a task.

    Args:
        run: the run.
        waits_for: the interrupts it waits at.
        reply: what it answered, as its journal holds it.
        history: how many messages are told at most; all when ``None``.
    """
    asked = Message(
        message_id=f"{run.id}-question",
        task_id=run.id,
        context_id=run.thread_id,
        role=Role.ROLE_USER,
        parts=[Part(text=run.question, media_type=TEXT)],
    )
    return Task(
        id=run.id,
        context_id=run.thread_id,
        status=status_of(run, waits_for),
        artifacts=[answer_of(reply)] if reply is not None else [],
        history=[] if history == 0 else [asked],
    )


def status_of(run: Run, waits_for: Sequence[Mapping[str, Any]] = ()) -> TaskStatus:
    """Return how a run stands, and what it waits for or why it failed."""
    status = TaskStatus(state=STATES[run.status])
    status.timestamp.FromDatetime(run.ended or run.created)
    why = [Part(text=shareable(run.error))] if run.error else []
    if parts := [*_asked(run.id, waits_for), *why]:
        status.message.CopyFrom(
            Message(
                message_id=f"{run.id}-{run.attempt}-{run.status.value}",
                task_id=run.id,
                context_id=run.thread_id,
                role=Role.ROLE_AGENT,
                parts=parts,
            )
        )
    return status


def _asked(run_id: str, waits_for: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Return what is asked, in words and as data that names each interrupt."""
    if not waits_for:
        return []
    words = told(run_id, waits_for, _HOW)
    return [Part(text=words, media_type=TEXT), _data_part({"interrupts": waits_for})]


def answer_of(reply: Mapping[str, Any]) -> Artifact:
    """Return what was answered as an artifact: text, and data where the agent's schema asks."""
    text = str(reply.get("text") or reply.get("stopped") or "")
    parts = [Part(text=text, media_type=TEXT)]
    if reply.get("data") is not None:
        parts.append(_data_part(reply["data"]))
    artifact = Artifact(artifact_id=ANSWER, name=ANSWER, parts=parts)
    if citations := reply.get("citations"):
        ParseDict({"citations": _plain(citations)}, artifact.metadata)
    return artifact


def _data_part(data: Any) -> Part:
    part = Part()
    ParseDict({"data": _plain(data), "mediaType": JSON}, part)
    return part


def _plain(data: Any) -> Any:
    return json.loads(json.dumps(data, default=str))


def status_event(run: Run, status: TaskStatus) -> TaskStatusUpdateEvent:
    """Return the event that tells of a status."""
    return TaskStatusUpdateEvent(task_id=run.id, context_id=run.thread_id, status=status)


def answer_event(
    run: Run, artifact: Artifact, *, append: bool = False, is_last: bool = False
) -> TaskArtifactUpdateEvent:
    """Return the event that tells of the answer, or a piece of it."""
    return TaskArtifactUpdateEvent(
        task_id=run.id,
        context_id=run.thread_id,
        artifact=artifact,
        append=append,
        last_chunk=is_last,
    )
