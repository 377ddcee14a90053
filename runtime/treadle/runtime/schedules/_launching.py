"""Fires as runs of the queue, paid from the accounts of the fire and of its schedule's month."""

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from treadle.core.errors import BudgetExceededError, InputError
from treadle.core.limits import Limits
from treadle.runtime._threads import Threads
from treadle.runtime.budget import UNITS, Account, Amounts, Ledger
from treadle.runtime.queue import Queue, RunRequest
from treadle.runtime.runs import RunStateError
from treadle.runtime.schedules._asked import Asked
from treadle.runtime.schedules._record import Fire, Schedule
from treadle.runtime.schedules._scheduler import Ended, Launched

_THREADS = uuid.UUID("0b5f6f1e-0c55-4d0c-9a55-6b3f0f6a3c57")
"""The namespace of the ids of threads that programs find by UUIDs."""
_MONTH_KEPT = timedelta(days=100)


def thread_of(schedule: str) -> str:
    """Return the conversation of a schedule that goes on with one."""
    return f"schedule:{schedule}"


def month_account(schedule: str, limits: Limits, moment: datetime) -> Account:
    """Return the account of all fires of a schedule in a month, UTC."""
    month = f"{moment:%Y-%m}"
    title = f"schedule's month {month}"
    return Account(f"schedule:{schedule}:{month}", limits, title, _MONTH_KEPT)


class QueueLauncher:
    """Hands fires to the queue.

    Args:
        queue: the queue.
        ledger: the accounts.
        threads: the conversations.
    """

    def __init__(self, queue: Queue, ledger: Ledger, threads: Threads) -> None:
        self._queue = queue
        self._ledger = ledger
        self._threads = threads

    async def launch(self, schedule: Schedule, fire: Fire) -> Launched:
        """See `Launcher`.

        Raises:
            BudgetExceededError: the month's budget is used up.
            InputError: the thread is somebody else's by now.
        """
        settings = schedule.settings
        month = month_account(schedule.name, settings.per_month, fire.planned)
        await self._check(month)
        accounts = [Account(f"fire:{fire.id}", settings.budget, "fire"), month]
        request = RunRequest(
            agent=settings.agent,
            input=settings.input,
            thread_id=thread_of(schedule.name) if settings.thread == "schedule" else fire.id,
            user=settings.user,
            key=f"schedule:{fire.id}",
            queue=settings.queue,
            metadata={
                "schedule": schedule.name,
                "fire": fire.id,
                "notify": list(settings.notify),
            },
            accounts=[account for account in accounts if account.is_limited],
        )
        if schedule.asked is not None:
            request = await self._as_asked(request, schedule.asked)
        queued = await self._queue.submit(request)
        return Launched(queued.run_id, queued.thread_id)

    async def _as_asked(self, request: RunRequest, asked: Asked) -> RunRequest:
        """Return a request as a program asked for it, on a thread of whoever the schedule is."""
        thread_id = asked.thread_id or str(uuid.uuid5(_THREADS, str(request.key)))
        if asked.owner and not await self._threads.claim(thread_id, asked.owner):
            raise InputError(f"The thread {thread_id!r} belongs to somebody else.")
        return replace(
            request,
            input=asked.input,
            thread_id=thread_id,
            user=asked.user,
            multitask=asked.multitask,
            keep_thread=asked.keep_thread or asked.thread_id is not None,
            metadata={**request.metadata, **asked.metadata},
            options=asked.options,
        )

    async def cancel(self, run_id: str) -> None:
        """See `Launcher`."""
        with suppress(RunStateError):  # It came to its end meanwhile.
            await self._queue.cancel(run_id)

    async def wait(self, run_id: str) -> Ended:
        """See `Launcher`."""
        run = await self._queue.wait(run_id)
        why = run.error or await self._queue.stopped_early(run)
        return Ended(run.status.value, run.usage.usd, run.usage.total_tokens, why)

    async def _check(self, month: Account) -> None:
        if not month.is_limited:
            return
        state = await self._ledger.usage_of(month)
        limits = Amounts.of_limits(month.limits or Limits())
        spent = state.spent if state is not None else Amounts()
        for unit, limit, used in zip(UNITS, limits, spent, strict=True):
            if limit is not None and (used or 0) >= limit:
                raise BudgetExceededError(
                    f"the {month.title} has a budget of {limits.shown(unit)}, and "
                    f"{spent.shown(unit)} are spent.",
                    unit=unit,
                    hint=f"Raise {unit!r} in its per_month, or wait for the next month.",
                )
