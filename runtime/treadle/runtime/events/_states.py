"""The state a run leaves, kept with its events: by reference where its thread holds it anyway."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from treadle.core.json_text import as_json
from treadle.memory.saver import RecordError, RedisSaver
from treadle.runtime.runs import StreamedEvent

_REFERRING = b"@"  # no JSON begins so
_EMPTY = b"[]"


class KeptStates:
    """Keeps states as JSON with gaps, and fills the gaps when they are read.

    The messages of a long thread are in its checkpoints' log already. A state that has them says
    where, so that it takes as little room, and as little time to keep, as that of a short one; as
    JSON each is remembered by the processes that read the thread. Kept is
    ``@[[offset, place], ...]``, a line feed, and the JSON with empty lists at the offsets.

    Args:
        saver: what keeps the thread's messages.
    """

    def __init__(self, saver: RedisSaver) -> None:
        self._saver = saver

    def packed(self, thread_id: str, state: Any) -> bytes:
        """Return what is to be kept of the state that a run of a thread just left."""
        if not isinstance(state, dict) or not all(type(name) is str for name in state):
            return as_json(state)
        kept, gaps = bytearray(b"{"), []
        for number, (name, value) in enumerate(state.items()):
            kept += b"," if number else b""
            kept += as_json(name) + b":"
            place = self._place(thread_id, name, value)
            if place is not None:
                gaps.append((len(kept) + 1, place))
            kept += as_json(value) if place is None else _EMPTY
        kept += b"}"
        head = _REFERRING + as_json(gaps) + b"\n" if gaps else b""
        return head + bytes(kept)

    def _place(self, thread_id: str, channel: str, value: Any) -> str | None:
        if type(value) is not list:
            return None
        return self._saver.entries.reference(thread_id, channel, value)

    async def filled(self, thread_id: str, events: Sequence[StreamedEvent]) -> list[StreamedEvent]:
        """Return events as they are told; a state whose messages the thread lost is left out."""
        found = []
        for event in events:
            if not event.data.startswith(_REFERRING):
                found.append(event)
            elif (state := await self._filled(thread_id, event.data)) is not None:
                found.append(replace(event, data=state))
        return found

    async def _filled(self, thread_id: str, packed: bytes) -> bytes | None:
        head, _, kept = packed.removeprefix(_REFERRING).partition(b"\n")
        pieces: list[bytes] = []
        end = 0
        try:
            for offset, place in json.loads(head):
                texts = await self._saver.entries.texts(thread_id, place)
                pieces += (kept[end:offset], b",".join(texts))
                end = offset
        except RecordError:
            return None
        return b"".join((*pieces, kept[end:]))
