"""What a request for a cron may hold, in the words of LangGraph's protocol."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from treadle.core.errors import InputError
from treadle.runtime.queue import StreamMode
from treadle.runtime.schedules import ScheduleSettings
from treadle.server.langgraph._answers import Body, Flag, Limit, Metadata, Offset, Order
from treadle.server.langgraph._records import Record
from treadle.server.langgraph._run_bodies import Nodes, RunConfig, RunFields, Webhook

Line = Annotated[str, Field(min_length=1, max_length=500)]
ZoneName = Annotated[str, Field(min_length=1, max_length=100)]
OnRunCompleted = Literal["delete", "keep"]
SortBy = Literal[
    "cron_id",
    "assistant_id",
    "thread_id",
    "created_at",
    "updated_at",
    "next_run_date",
    "end_time",
]
Selected = Literal[
    "cron_id",
    "assistant_id",
    "thread_id",
    "end_time",
    "schedule",
    "timezone",
    "created_at",
    "updated_at",
    "user_id",
    "payload",
    "next_run_date",
    "metadata",
    "on_run_completed",
    "enabled",
]
_FIELDS = 5
_SHOWN_CHARS = 2_000


class CronCreate(RunFields):
    """A run that is begun again and again, as a cron line says."""

    schedule: Line
    timezone: ZoneName | None = None
    end_time: datetime | None = None
    enabled: Flag = True

    def settings(self, agent: str) -> ScheduleSettings:
        """Return the schedule's settings.

        Raises:
            InputError: the line, the zone or the end cannot be used.
        """
        if len(self.schedule.split()) > _FIELDS:
            raise InputError(
                f"'schedule' has more than five fields: {self.schedule!r}.",
                hint="Minutes are the finest: 'minute hour day month weekday'.",
            )
        told: dict[str, Any] = {"input": shown} if (shown := self._shown()) else {}
        try:
            return ScheduleSettings(
                agent=agent,
                cron=self.schedule,
                tz=self.timezone or "UTC",
                end=self.end_time,
                overlap="allow",  # What a run does to others on its thread, the queue knows.
                **told,
            )
        except ValidationError as error:
            first = error.errors()[0]
            named = {"cron": "schedule", "tz": "timezone", "end": "end_time"}
            place = "".join(f"'{named.get(str(one), one)}': " for one in first["loc"][:1])
            raise InputError(f"{place}{first['msg'].removeprefix('Value error, ')}.") from None

    def _shown(self) -> str:
        """Return the input as a person reads it in a list of schedules."""
        text = self.input if isinstance(self.input, str) else json.dumps(self.input)
        return "" if self.input is None else text.strip()[:_SHOWN_CHARS]


class StatelessCronCreate(CronCreate):
    """A cron whose runs have a new thread each."""

    on_run_completed: OnRunCompleted = "delete"


class CronUpdate(Body):
    """What changes of a cron; ``end_time`` may be taken away."""

    schedule: Line | None = None
    timezone: ZoneName | None = None
    end_time: datetime | None = None
    enabled: Flag | None = None
    on_run_completed: OnRunCompleted | None = None
    input: dict[str, Any] | list[Any] | str | None = None
    metadata: Metadata | None = None
    config: RunConfig | None = None
    context: dict[str, Any] | None = None
    webhook: Webhook | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Literal["sync", "async", "exit"] | None = None

    def given(self) -> Record:
        """Return the fields that change, as JSON holds them."""
        told = self.model_dump(mode="json", exclude_unset=True)
        return {k: v for k, v in told.items() if v is not None or k == "end_time"}


class CronFilter(Body):
    """Which crons are wanted."""

    assistant_id: str | None = None
    thread_id: str | None = None
    metadata: Metadata | None = None


class CronSearch(CronFilter):
    """Which crons are wanted, and how many of them."""

    enabled: Flag | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: SortBy = "created_at"
    sort_order: Order = "desc"
    select: list[Selected] | None = None
