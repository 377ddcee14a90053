"""Schedules: tasks that run by themselves, at planned moments, each exactly once."""

from treadle.core.scheduling import ScheduleSettings
from treadle.runtime.schedules._asked import Asked
from treadle.runtime.schedules._launching import QueueLauncher, thread_of
from treadle.runtime.schedules._project import Written
from treadle.runtime.schedules._record import Fire, FireKind, FireStatus, Schedule
from treadle.runtime.schedules._scheduler import Ended, Launched, Launcher, Scheduler
from treadle.runtime.schedules._schedules import Reconciled, Schedules
from treadle.runtime.schedules._store import AGENDA, ScheduleStore

__all__ = [
    "AGENDA",
    "Asked",
    "Ended",
    "Fire",
    "FireKind",
    "FireStatus",
    "Launched",
    "Launcher",
    "QueueLauncher",
    "Reconciled",
    "Schedule",
    "ScheduleSettings",
    "ScheduleStore",
    "Scheduler",
    "Schedules",
    "Written",
    "thread_of",
]
