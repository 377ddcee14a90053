"""The runs of a tenant: what was asked, where each stands, and what can be done with it."""

from treadle.runtime.runs._event import END, StreamedEvent
from treadle.runtime.runs._feedback import Feedback
from treadle.runtime.runs._file import SUFFIX, JournalFile
from treadle.runtime.runs._learned import LearnedStore
from treadle.runtime.runs._nodes import check_change, check_stops
from treadle.runtime.runs._options import RunOptions, StreamMode
from treadle.runtime.runs._plan import Plan, PlannedEffect, dry_thread, is_dry_thread, plan_with
from treadle.runtime.runs._record import (
    ENDS,
    NEXT,
    Accepted,
    Run,
    RunMode,
    RunStateError,
    RunStatus,
)
from treadle.runtime.runs._replayer import Replayer, journal_files
from treadle.runtime.runs._request import (
    DEFAULT_QUEUE,
    Multitask,
    Queued,
    RunRequest,
    ThreadBusyError,
    checked_queue,
)
from treadle.runtime.runs._resumption import Change, Resumption, Standing
from treadle.runtime.runs._runs import Runs
from treadle.runtime.runs._store import STOPPED, RunStore
from treadle.runtime.runs.invoking import reply_to_data
from treadle.runtime.runs.replay import Replay, definition_of, recorded_options

__all__ = [
    "DEFAULT_QUEUE",
    "END",
    "ENDS",
    "NEXT",
    "STOPPED",
    "SUFFIX",
    "Accepted",
    "Change",
    "Feedback",
    "JournalFile",
    "LearnedStore",
    "Multitask",
    "Plan",
    "PlannedEffect",
    "Queued",
    "Replay",
    "Replayer",
    "Resumption",
    "Run",
    "RunMode",
    "RunOptions",
    "RunRequest",
    "RunStateError",
    "RunStatus",
    "RunStore",
    "Runs",
    "Standing",
    "StreamMode",
    "StreamedEvent",
    "ThreadBusyError",
    "check_change",
    "check_stops",
    "checked_queue",
    "definition_of",
    "dry_thread",
    "is_dry_thread",
    "journal_files",
    "plan_with",
    "recorded_options",
    "reply_to_data",
]
