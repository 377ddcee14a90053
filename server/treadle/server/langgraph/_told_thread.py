"""What happens on a thread, numbered, and of it what a client subscribed to."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Annotated

from pydantic import BeforeValidator, Field

from treadle.runtime.events import END, Mark
from treadle.runtime.queue import StreamedEvent
from treadle.runtime.runs import ENDS, Run
from treadle.server.langgraph._answers import Body, no_flag
from treadle.server.langgraph._records import Record
from treadle.server.langgraph._tenant import Rt
from treadle.server.langgraph._threads import ProtocolThreads
from treadle.server.langgraph._told_runs import Namespace, RunTeller, Told

CHANNELS = (
    *("values", "updates", "messages", "tools", "lifecycle"),
    *("input", "checkpoints", "tasks", "custom"),
)
SPAN = 1_000_000
"""Events of a thread's n-th run are numbered from n times this on."""
MARK_EVERY = 200
"""After how many told things a reader notes its place for others, between two messages."""


Channel = Annotated[str, Field(max_length=200, pattern=rf"^({'|'.join(CHANNELS)}|custom:.+)$")]


class Subscription(Body):
    """What a client wants to be told.

    Attributes:
        channels: of which kinds.
        namespaces: below which namespaces; of all when not given. A part without an id stands for
            all tasks of its name.
        depth: how far below them at most.
        since: the number after which it goes on; the run that is at work or was last when not
            given.
    """

    channels: Annotated[list[Channel], Field(min_length=1, max_length=50)]
    namespaces: Annotated[list[list[str]], Field(max_length=100)] | None = None
    depth: Annotated[int, Field(ge=0, le=1_000), BeforeValidator(no_flag)] | None = None
    since: Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(no_flag)] | None = None

    def wants(self, told: Told) -> bool:
        """Return whether something is to be told."""
        name = told.data.get("name") if told.method == "custom" else None
        if told.channel not in self.channels and f"custom:{name}" not in self.channels:
            return False
        if not self.namespaces:
            return True
        return any(
            _begins(told.namespace, prefix)
            and (self.depth is None or len(told.namespace) - len(prefix) <= self.depth)
            for prefix in self.namespaces
        )


def _begins(namespace: Namespace, prefix: Sequence[str]) -> bool:
    return len(prefix) <= len(namespace) and all(
        part == wanted or (":" not in wanted and part.partition(":")[0] == wanted)
        for part, wanted in zip(namespace, prefix, strict=False)
    )


class _Reading:
    """How far a run was read: the id of its last event, and how many things were told.

    That the run is at its end has no number of its own: a run that goes on is not at its end any
    more, and whoever comes later is told nothing of it.
    """

    def __init__(self, run: Run, ordinal: int, mark: Mark | None) -> None:
        self.after = "0"
        self.attempt = 0
        self._run_id = run.id
        self.number = ordinal * SPAN
        self._teller = RunTeller(run.agent)
        if mark is not None:
            self.after, self.number = mark.after, mark.number
            self._teller.know(mark.known)
        self._marked = self.number

    def mark(self) -> Mark | None:
        """Return the place reached, where it is worth noting."""
        if self.number - self._marked < MARK_EVERY or not self._teller.is_between_messages:
            return None
        self._marked = self.number
        return Mark(self.number, self.after, self._teller.known())

    def read(self, event: StreamedEvent) -> Iterator[tuple[Told, Record]]:
        """Yield what an event tells: what it is, and how it is told."""
        self.after = event.id
        for place, told in enumerate(self._teller.tell(event)):
            self.number += 1
            yield told, self._record(told, f"{event.id}:{place}", event.id)

    def end(self, run: Run, event: StreamedEvent) -> Iterator[tuple[Told, Record]]:
        """Yield that the run is at its end, or waits."""
        for place, told in enumerate(self._teller.end(run)):
            yield told, self._record(told, f"end:{run.attempt}:{place}", event.id)

    def _record(self, told: Told, name: str, moment: str) -> Record:
        return {
            "type": "event",
            "event_id": f"{self._run_id}:{name}",
            "seq": self.number,
            "method": told.method,
            "params": {
                "namespace": list(told.namespace),
                "timestamp": int(moment.partition("-")[0]),
                "data": told.data,
            },
        }


class ToldThread:
    """Follows a thread's runs, one after the other as they are at work, until it is removed.

    Args:
        runtime: the tenant's runtime.
        thread_id: the thread.
        wanted: what is told.
    """

    def __init__(self, runtime: Rt, thread_id: str, wanted: Subscription) -> None:
        self._runtime = runtime
        self._thread_id = thread_id
        self._wanted = wanted
        self._threads = ProtocolThreads(runtime)
        self._readings: dict[str, _Reading] = {}

    async def pages(self) -> AsyncGenerator[list[Record]]:
        """Yield what happens; what is there together comes together."""
        first = None if self._wanted.since is None else self._wanted.since // SPAN
        async with self._runtime.queue.beginnings(self._thread_id) as bell:
            while await self._threads.find(self._thread_id) is not None:
                runs = await self._runtime.runs.recent(100_000, thread=self._thread_id)
                runs.reverse()
                first = _first(runs) if first is None else first
                for ordinal, run in enumerate(runs[max(first - 1, 0) :], max(first, 1)):
                    async for page in self._run(run, ordinal):
                        yield page
                await bell.wait()

    async def _run(self, run: Run, ordinal: int) -> AsyncGenerator[list[Record]]:
        reading = self._readings.get(run.id) or await self._begun(run, ordinal)
        if reading.attempt == run.attempt:
            return
        async with aclosing(self._runtime.queue.event_pages(run, reading.after)) as pages:
            async for page in pages:
                told: list[Record] = []
                mark = None
                for event in page:
                    told += await self._told(reading, run, event)
                    mark = reading.mark() or mark
                yield told
                if mark is not None:
                    await self._runtime.queue.mark(run, mark)
        reading.attempt = run.attempt

    async def _begun(self, run: Run, ordinal: int) -> _Reading:
        """Begin to read a run: near where the client stands, where somebody has read so far."""
        since = self._wanted.since or 0
        is_known = since > ordinal * SPAN
        mark = await self._runtime.queue.marked(run, since) if is_known else None
        reading = self._readings[run.id] = _Reading(run, ordinal, mark)
        return reading

    async def _told(self, reading: _Reading, run: Run, event: StreamedEvent) -> list[Record]:
        wants, since = self._wanted.wants, self._wanted.since or 0
        if event.name == END:
            ended = await self._runtime.runs.get(run.id)
            told = reading.end(ended, event) if reading.number >= since else ()
            return [record for one, record in told if wants(one)]
        return [
            record for one, record in reading.read(event) if record["seq"] > since and wants(one)
        ]


def _first(runs: Sequence[Run]) -> int:
    """Return which run a client that knows nothing begins with: one at work, or else the last."""
    at_work = (place for place, run in enumerate(runs, 1) if run.status not in ENDS)
    return next(at_work, len(runs) or 1)
