"""The runs of a tenant: what was asked, where each stands, and what can be done with it."""

from treadle.runtime.runs._file import SUFFIX, JournalFile
from treadle.runtime.runs._record import NEXT, Run, RunMode, RunStateError, RunStatus
from treadle.runtime.runs._replay import Replay, definition_of
from treadle.runtime.runs._replayer import Replayer, journal_files
from treadle.runtime.runs._runs import Runs
from treadle.runtime.runs._store import STOPPED, RunStore

__all__ = [
    "NEXT",
    "STOPPED",
    "SUFFIX",
    "JournalFile",
    "Replay",
    "Replayer",
    "Run",
    "RunMode",
    "RunStateError",
    "RunStatus",
    "RunStore",
    "Runs",
    "definition_of",
    "journal_files",
]
