"""The messages of a thread's state, for whoever keeps or tells them beside the checkpoints.

A body of the log never changes, so that it can be pointed to instead of kept once more, and what
is known of it, such as what it is as JSON, need not be found out again with every run.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

from treadle.core.json_text import as_json
from treadle.memory._codec import Codec, naming
from treadle.memory._storage_errors import RecordError
from treadle.memory.saver import _scripts as scripts
from treadle.memory.saver._behind import current
from treadle.memory.saver._bodies import Body
from treadle.memory.saver._cache import Known, LogCache
from treadle.memory.saver._columns import Columns
from treadle.memory.saver._context import Context, Operation
from treadle.memory.saver._intervals import formatted
from treadle.memory.saver._reading import Reading
from treadle.memory.saver._records import LogValue

Driving = Callable[[Operation[list[bytes]]], Awaitable[list[bytes]]]


class Entries:
    """What the log of a thread holds, by reference.

    Args:
        context: what the operations of the saver work with.
        drive: runs one of them.
    """

    def __init__(self, context: Context, drive: Driving) -> None:
        self._context = context
        self._drive = drive

    def reference(self, thread_id: str, channel: str, values: Sequence[Any]) -> str | None:
        """Return where the log holds the messages of a channel of the thread's graph.

        It is worth a few bytes however many they are, and good for as long as a checkpoint holds
        them; ``None`` where the client has not seen the channel to hold just these.
        """

        root, behind = self._context.space.thread(thread_id).root, current()

        def work(log: LogCache | None) -> str | None:
            if log is None:
                return None
            place = ("", channel)
            seen = log.seen(place)
            is_kept = behind is not None and behind.is_kept((root, place), values, seen.columns)
            if not seen.spans or not (is_kept or seen.columns.are_held(values)):
                return None
            return f"{log.log_id} {formatted(seen.spans)}"

        return self._context.cache.use(root, work)

    def recognised(self, thread_id: str, messages: Sequence[Any]) -> list[Hashable | None]:
        """Return for each message what stands for its content while the client remembers it.

        The same object means the same content; ``None`` that it is not known.
        """

        def work(log: LogCache | None) -> list[Hashable | None]:
            found = [None if log is None else log.locate(message) for message in messages]
            return [None if one is None else one[1] for one in found]

        return self._context.cache.use(self._context.space.thread(thread_id).root, work)

    async def texts(self, thread_id: str, reference: str) -> list[bytes]:
        """Return the messages that `reference` gave the place of, each as JSON.

        Where the client remembers them, Redis is not asked.

        Raises:
            RecordError: one is gone with the checkpoints that held it, or damaged.
        """
        return await self._drive(_texts(self._context, thread_id, reference))


def _texts(context: Context, thread_id: str, reference: str) -> Operation[list[bytes]]:
    thread = context.space.thread(thread_id)
    try:
        refs = LogValue.of(reference)
    except ValueError as problem:
        raise RecordError(f"{reference!r:.60} refers to no messages.") from problem
    known = context.cache.known(thread.root)
    bodies = _remembered(known, refs)
    if bodies is None:
        log_id, epoch, runs = yield scripts.bodies(
            thread, known_epoch=known.epoch, held=known.held, spans=formatted(refs.spans)
        )
        reading = Reading(
            thread, context.codec, context.cache, log_id=log_id, epoch=epoch, runs=runs, known=known
        )
        with naming(f"What a run of the thread {thread_id!r} left"):
            bodies = reading.bodies(refs)
    return [body.text or _text(body, context.codec) for body in bodies]


def _remembered(known: Known, refs: LogValue) -> list[Body] | None:
    """Return the bodies; a place in a log never comes to mean another, whatever its epoch."""
    low, high = known.held
    if known.log_id != refs.log_id or any(a < low or b > high for a, b in refs.spans):
        return None
    found = [known.body(n) for first, stop in refs.spans for n in range(first, stop)]
    bodies = [body for body in found if body is not None]
    return bodies if len(bodies) == len(found) else None


def _text(body: Body, codec: Codec) -> bytes:
    [value] = Columns([body]).copies(codec)
    body.text = text = as_json(value)
    return text
