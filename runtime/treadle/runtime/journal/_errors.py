"""What can be wrong with a journal, or with what a run does against it."""

from treadle.core.errors import RunError


class JournalError(RunError):
    """A journal is damaged, cut off, or of a version that this program does not read."""


class DivergenceError(RunError):
    """A run did something else than its journal says it did at that place."""


class RecordedError(Exception):
    """An exception that was raised by code this program does not know the exception of."""


class LostRunError(RunError):
    """Another attempt, or another run, took the thread over; this one must not write any more."""

    @classmethod
    def of(cls, run_id: str, attempt: int, holder: str) -> "LostRunError":
        """Return the error of an attempt whose write was refused."""
        return cls(
            f"The attempt {attempt} of the run {run_id} no longer holds its thread: {holder} does.",
            hint="Nothing was written. See what became of it with 'treadle runs show'.",
        )
