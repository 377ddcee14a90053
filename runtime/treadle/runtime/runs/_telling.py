"""What is told to others when a run ends, or waits for a person."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from treadle.runtime.runs._record import Run, RunStatus


class Telling(Protocol):
    """Tells others how runs end, or that they wait for a person.

    What is to be said is kept before an end is kept, and said once that was: so nothing is said of
    what did not happen, and nothing is left unsaid by a process that dies in between.
    """

    @property
    def is_needed(self) -> bool:
        """Whether anybody is to be told of anything."""
        ...

    async def prepare(
        self,
        run: Run,
        attempt: int,
        status: RunStatus,
        details: Mapping[str, Any],
        metadata: Mapping[str, Any],
        *,
        webhook: str | None,
    ) -> Sequence[Any]:
        """Keep what is to be said of an end that is about to be kept, and return it.

        Args:
            run: the run as it was before.
            attempt: the attempt that ends.
            status: how it stands from now on.
            details: what the journal says of the end.
            metadata: what was given with the run.
            webhook: the address that the run asked to be told of.
        """
        ...

    async def confirm(self, messages: Sequence[Any]) -> None:
        """Say it: the end was kept."""
        ...
