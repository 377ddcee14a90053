"""The journal of a run: what was called, with what, and how it ended.

`JournalWriter` and `read_entries` keep it in Redis; `CallJournal` with its two gates,
`KnownOutcomes` and `Recorder`, joins it to the call boundary; a `Source` says what is known of a
call before it is made. The format is described in ``docs/journal.md``.
"""

from treadle.runtime.journal._data import from_data, to_data, usage_from_data, usage_to_data
from treadle.runtime.journal._differences import (
    Difference,
    first_difference,
    request_difference,
)
from treadle.runtime.journal._entries import (
    VERSION,
    CallRecord,
    Entry,
    EntryType,
    Journal,
    call_numbers,
    calls_of,
    joined,
    outcome_from_data,
    outcome_to_data,
    split,
)
from treadle.runtime.journal._errors import (
    DivergenceError,
    JournalError,
    RecordedError,
    lost,
)
from treadle.runtime.journal._gates import CallJournal, KnownOutcomes, Listener, Recorder
from treadle.runtime.journal._sources import EarlierAttempts, Recording, Source, answered
from treadle.runtime.journal._stream import (
    KEEP_EVENTS_MS,
    JournalWriter,
    Rest,
    RunKeys,
    check_version,
    read_blobs,
    read_entries,
    read_whole,
)
from treadle.runtime.journal._unknown import answer_to, is_told

__all__ = [
    "KEEP_EVENTS_MS",
    "VERSION",
    "CallJournal",
    "CallRecord",
    "Difference",
    "DivergenceError",
    "EarlierAttempts",
    "Entry",
    "EntryType",
    "Journal",
    "JournalError",
    "JournalWriter",
    "KnownOutcomes",
    "Listener",
    "RecordedError",
    "Recorder",
    "Recording",
    "Rest",
    "RunKeys",
    "Source",
    "answer_to",
    "answered",
    "call_numbers",
    "calls_of",
    "check_version",
    "first_difference",
    "from_data",
    "is_told",
    "joined",
    "lost",
    "outcome_from_data",
    "outcome_to_data",
    "read_blobs",
    "read_entries",
    "read_whole",
    "request_difference",
    "split",
    "to_data",
    "usage_from_data",
    "usage_to_data",
]
