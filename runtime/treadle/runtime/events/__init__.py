"""What is streamed of a run while it runs: one stream in Redis, from which anybody can read on."""

from treadle.runtime.events._bells import Bell, Bells
from treadle.runtime.events._encoding import EVENTS, FEEDBACK, Encoder
from treadle.runtime.events._feed import Feed
from treadle.runtime.events._marks import Mark, Marks
from treadle.runtime.events._reader import EventReader, check_event_id
from treadle.runtime.events._states import KeptStates
from treadle.runtime.events._writer import EventWriter
from treadle.runtime.runs import END, StreamedEvent

__all__ = [
    "END",
    "EVENTS",
    "FEEDBACK",
    "Bell",
    "Bells",
    "Encoder",
    "EventReader",
    "EventWriter",
    "Feed",
    "KeptStates",
    "Mark",
    "Marks",
    "StreamedEvent",
    "check_event_id",
]
