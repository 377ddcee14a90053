"""An event of a run, as its readers get it."""

from dataclasses import dataclass

END = "end"
"""The name of the last event; its data holds the run's status."""


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event of a run.

    Attributes:
        id: its place; reading can go on after it.
        name: what it is, such as ``values``, ``messages/partial`` or ``updates|<namespace>``.
        data: what it tells, as JSON.
    """

    id: str
    name: str
    data: bytes
