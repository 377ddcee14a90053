"""Where a run stands in the queue, in words."""

from treadle.cli._schedule_view import in_words
from treadle.runtime.queue import Place


def place_in_words(place: Place) -> str:
    """Return where a run stands, and what is to be done where nobody would work on it."""
    told = {
        "delayed": f"waits in {place.queue}, due {in_words(place.due_in)}",
        "waiting": f"waits in {place.queue}, behind {_runs(place.before)} of its thread",
        "ready": f"waits in {place.queue} for a worker",
        "running": f"at work, from {place.queue}",
        "paused": f"tried again {in_words(place.due_in)}, from {place.queue}",
        "dead": f"given up, and kept; 'treadle queue retry' tries it again in {place.queue}",
    }[place.state]
    if place.is_unserved:
        told += f"; nobody serves it: start 'treadle worker --queue {place.queue}'"
    return f"{told} ({place.reason})" if place.reason and place.state != "dead" else told


def _runs(count: int) -> str:
    return "a run" if count == 1 else f"{count} runs"
