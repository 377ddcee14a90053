"""Putting what runs said into the transcript, without sending again what it holds already."""

from collections.abc import Hashable, Sequence
from weakref import WeakKeyDictionary

from langchain_core.messages import BaseMessage

from treadle.memory.saver import RedisSaver
from treadle.memory.transcript import Transcript


class Noting:
    """Notes the messages of states.

    What was noted is remembered for as long as the saver remembers the message; the transcript's
    mark tells whether it still holds. Where either does not, all are sent again, and those that
    are there stay where they are.

    Args:
        saver: what tells a message that was noted from a new one.
        transcript: where messages are noted.
    """

    def __init__(self, saver: RedisSaver, transcript: Transcript) -> None:
        self._saver = saver
        self._transcript = transcript
        self._marks: WeakKeyDictionary[Hashable, str] = WeakKeyDictionary()

    async def note(self, thread_id: str, messages: Sequence[BaseMessage]) -> None:
        """Note messages, each with an id, in one round trip, or two where others interfered."""
        entries = self._saver.entries.recognised(thread_id, messages)
        marks = ["" if entry is None else self._marks.get(entry, "") for entry in entries]
        mark = next(filter(None, reversed(marks)), "")
        new = [number for number, known in enumerate(marks) if not known or known != mark]
        told = [messages[number] for number in new]
        latest = await self._transcript.add_since(thread_id, told, mark)
        if latest is None:
            new = list(range(len(messages)))
            latest = await self._transcript.add_since(thread_id, messages, "")
        for entry in (entries[number] for number in new):
            if entry is not None and latest:
                self._marks[entry] = latest
