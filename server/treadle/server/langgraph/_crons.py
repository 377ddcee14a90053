"""Crons as the protocol's clients know them: schedules of the tenant that programs asked for."""

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from fastapi import HTTPException

from treadle.core.errors import UnknownNameError
from treadle.runtime import Runtime
from treadle.runtime.runs import RunOptions, check_stops
from treadle.runtime.schedules import Asked, Schedule, ScheduleSettings
from treadle.server.langgraph._assistants import Assistants
from treadle.server.langgraph._cron_bodies import (
    CronCreate,
    CronFilter,
    CronUpdate,
    StatelessCronCreate,
)
from treadle.server.langgraph._records import Record, contains, now
from treadle.server.langgraph._runs import check_webhook
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.security import Scope, acting_for, current_principal

MAX_CRONS = 1_000
"""How many crons one caller may have."""


class ProtocolCrons:
    """The crons of a tenant that the caller sees.

    Args:
        runtime: the tenant's runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._schedules = runtime.schedules
        self._assistants = Assistants(runtime)

    async def create(self, body: CronCreate, thread_id: str | None) -> Record:
        """Keep a new cron.

        Args:
            body: the cron.
            thread_id: the thread of its runs; ``None`` for a new one each.

        Raises:
            UnknownNameError: there is no such assistant.
            InputError: it would never fire, or its runs stop at a node that there is not.
            HTTPException: there is no such thread, or the caller has too many crons.
        """
        assistant = await self._assistants.get(body.assistant_id)
        if thread_id is not None:
            await ProtocolThreads(self._runtime).record(thread_id)
        owner = current_principal().subject
        if len(await self._schedules.owned(owner)) >= MAX_CRONS:
            raise HTTPException(409, f"There are {MAX_CRONS} crons of yours already; delete some.")
        check_webhook(self._runtime, body.webhook)
        self._check_stops(body, assistant)
        name = str(uuid.uuid4())
        given = body.model_dump(mode="json", exclude_unset=True)
        payload = {**given, "assistant_id": assistant["assistant_id"]}
        about = {"payload": _named(payload, name), "metadata": body.metadata, "updated_at": now()}
        settings, asked = _asked(owner, thread_id, about, assistant)
        source = f"HTTP, {owner}" if owner else "HTTP"
        kept = await self._schedules.add(
            name, settings, source=source, asked=asked, is_paused=not body.enabled
        )
        return described(kept)

    async def get(self, cron_id: str) -> Schedule:
        """Return a cron.

        Raises:
            HTTPException: 404 when the caller sees none of that id.
        """
        try:
            found = await self._schedules.get(cron_id)
        except UnknownNameError:
            raise _unknown(cron_id) from None
        if found.asked is None or not current_principal().sees(found.asked.owner or None):
            raise _unknown(cron_id)
        return found

    async def update(self, cron_id: str, body: CronUpdate) -> Record:
        """Change a cron; metadata is merged, other fields are replaced.

        Raises:
            HTTPException: 404 when the caller sees none of that id.
            InputError: it would never fire.
        """
        found = await self.get(cron_id)
        check_webhook(self._runtime, body.webhook)
        known = _asked_of(found).about["payload"]["assistant_id"]
        assistant = await self._assistants.get(known)
        self._check_stops(body, assistant)
        given = body.given()

        def change(schedule: Schedule) -> tuple[ScheduleSettings, Asked]:
            asked = _asked_of(schedule)
            payload = _named({**asked.about["payload"], **given}, schedule.name)
            metadata = {**asked.about["metadata"], **(body.metadata or {})}
            about = {"payload": payload, "metadata": metadata, "updated_at": now()}
            return _asked(asked.owner, asked.thread_id, about, assistant)

        try:
            changed = await self._schedules.change(cron_id, change)
            if body.enabled is not None:
                turn = self._schedules.resume if body.enabled else self._schedules.pause
                changed = await turn(cron_id)
        except UnknownNameError:
            raise _unknown(cron_id) from None
        return described(changed)

    async def delete(self, cron_id: str) -> None:
        """Remove a cron; a run that is under way goes on.

        Raises:
            HTTPException: 404 when the caller sees none of that id.
        """
        await self.get(cron_id)
        try:
            await self._schedules.remove(cron_id)
        except UnknownNameError:
            raise _unknown(cron_id) from None

    async def matching(self, wanted: CronFilter) -> list[Record]:
        """Return the crons that the caller sees and that are wanted."""
        return [
            cron
            for schedule in await self._seen()
            if _fits(cron := described(schedule), schedule, wanted)
        ]

    def _check_stops(self, body: CronCreate | CronUpdate, assistant: Record) -> None:
        """Refuse nodes to stop at that the graph does not have: each fire would fail.

        Raises:
            InputError: there is one.
        """
        before, after = body.interrupt_before or (), body.interrupt_after or ()
        if before or after:
            options = RunOptions(interrupt_before=before, interrupt_after=after)
            check_stops(self._runtime.graph(assistant["graph_id"]), options)

    async def _seen(self) -> Sequence[Schedule]:
        principal = current_principal()
        if not principal.may(Scope.ADMIN):
            return await self._schedules.owned(principal.subject)
        return [one for one in await self._schedules.list() if one.asked is not None]


async def remove_crons_of(runtime: Runtime, thread_id: str) -> None:
    """Remove the crons of a thread that is removed: those of its owner, and of who removes it."""
    [owner] = await runtime.threads.owners([thread_id])
    for subject in {owner or "", current_principal().subject}:
        for schedule in await runtime.schedules.owned(subject):
            if _asked_of(schedule).thread_id == thread_id:
                await runtime.schedules.remove(schedule.name)


def described(schedule: Schedule) -> Record:
    """Return a cron as clients are shown it."""
    asked = _asked_of(schedule)
    payload = asked.about["payload"]
    return {
        "cron_id": schedule.name,
        "assistant_id": payload["assistant_id"],
        "thread_id": asked.thread_id,
        "user_id": asked.owner,
        "end_time": payload.get("end_time"),
        "schedule": payload["schedule"],
        "timezone": payload.get("timezone"),
        "payload": payload,
        "next_run_date": schedule.next.isoformat() if schedule.next else None,
        "metadata": asked.about["metadata"],
        "on_run_completed": (
            None if asked.thread_id is not None else payload.get("on_run_completed", "delete")
        ),
        "enabled": not schedule.is_paused,
        "created_at": schedule.created.isoformat(),
        "updated_at": asked.about["updated_at"],
    }


def _asked(
    owner: str, thread_id: str | None, about: Record, assistant: Record
) -> tuple[ScheduleSettings, Asked]:
    """Return a cron as a schedule: who changes it for its owner does not lend it their rights."""
    kind = CronCreate if thread_id is not None else StatelessCronCreate
    body = kind.model_validate(about["payload"])
    principal = current_principal()
    theirs = replace(principal, subject=owner, scope=Scope.RUN)
    with acting_for(theirs) if owner != principal.subject else nullcontext():
        options = body.options(assistant, stream=True, keep_values=False)
        request = body.request(assistant, thread_id, options, keep_thread=True)
    is_kept = thread_id is not None or about["payload"].get("on_run_completed") == "keep"
    asked = Asked(
        owner=owner,
        input=request.input,
        thread_id=thread_id,
        keep_thread=is_kept,
        multitask=request.multitask,
        user=request.user,
        metadata=request.metadata,
        options=options,
        about=about,
    )
    return body.settings(assistant["graph_id"]), asked


def _asked_of(schedule: Schedule) -> Asked:
    assert schedule.asked is not None  # noqa: S101 - it is how crons are told apart
    return schedule.asked


def _named(payload: Record, cron_id: str) -> Record:
    """Return the payload with the cron's id where the nodes of its runs find it."""
    config: dict[str, Any] = payload.get("config") or {}
    configurable = {**config.get("configurable", {}), "cron_id": cron_id}
    return {**payload, "config": {**config, "configurable": configurable}}


def _fits(cron: Record, schedule: Schedule, wanted: CronFilter) -> bool:
    enabled = getattr(wanted, "enabled", None)
    return (
        wanted.assistant_id in (None, cron["assistant_id"], schedule.settings.agent)
        and wanted.thread_id in (None, cron["thread_id"])
        and enabled in (None, cron["enabled"])
        and contains(cron["metadata"], wanted.metadata or {})
    )


def _unknown(cron_id: str) -> HTTPException:
    return HTTPException(404, f"There is no cron {cron_id!r}.")
