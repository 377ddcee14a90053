"""What can be wrong with a journal, or with what a run does against it."""

from treadle.core.errors import FencedError, RunError


class JournalError(RunError):
    """A journal is damaged, cut off, or of a version that this program does not read."""


class DivergenceError(RunError):
    """A run did something else than its journal says it did at that place."""


class RecordedError(Exception):
    """An exception that was raised by code this program does not know the exception of."""


def lost(run_id: str, attempt: int, holder: str) -> FencedError:
    """Return the error of an attempt whose write was refused."""
    return FencedError(
        f"The attempt {attempt} of the run {run_id} no longer holds its thread: "
        f"{holder or 'nobody'} does.",
        hint="Nothing was written. See what became of it with 'treadle runs show'.",
    )
