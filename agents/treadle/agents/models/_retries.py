"""Asking a provider again that was busy or out of reach: each attempt is a call of its own."""

import random

from treadle.core.errors import ModelUnavailableError

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 8.0
_LONGEST_ASKED_SECONDS = 120.0


class Retries:
    """The attempts that are left for one answer, with the waits between them.

    They are made here, not by the provider's client, so that each is counted and paid for.
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self._seconds = _FIRST_SECONDS

    def next_wait(self, error: ModelUnavailableError) -> float:
        """Return how many seconds to wait before the next attempt: as asked, or twice as long.

        Raises:
            ModelUnavailableError: ``error``, when no attempt is left or the wait is too long.
        """
        asked = error.retry_after_seconds
        if self._left == 0 or (asked is not None and asked > _LONGEST_ASKED_SECONDS):
            raise error
        self._left -= 1
        seconds, self._seconds = self._seconds, min(self._seconds * 2, _LONGEST_SECONDS)
        if error.__cause__ is None:
            return 0.0  # It was read from a journal, so whoever was to be waited for is not asked.
        jitter = 1 - 0.25 * random.random()  # noqa: S311 - it keeps no secret
        return seconds * jitter if asked is None else max(asked, 0.0)
