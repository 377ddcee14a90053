"""Schedules: tasks that run by themselves, at planned moments, each exactly once."""

from treadle.core.scheduling import ScheduleSettings
from treadle.runtime.schedules._project import Written
from treadle.runtime.schedules._record import Fire, FireKind, FireStatus, Schedule
from treadle.runtime.schedules._scheduler import Ended, Launched, Launcher, Scheduler
from treadle.runtime.schedules._schedules import COMMAND_LINE, Reconciled, Schedules
from treadle.runtime.schedules._store import ScheduleStore

__all__ = [
    "COMMAND_LINE",
    "Ended",
    "Fire",
    "FireKind",
    "FireStatus",
    "Launched",
    "Launcher",
    "Reconciled",
    "Schedule",
    "ScheduleSettings",
    "ScheduleStore",
    "Scheduler",
    "Schedules",
    "Written",
]
