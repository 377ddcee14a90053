"""What is to become of ids and vectors, as the write script takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle.memory.textindex.records import pack_note, to_bytes


@dataclass(frozen=True, slots=True)
class Vectors:
    """The packed vectors of a write, the space they belong to and the bytes of one."""

    data: bytes = b""
    space: str = ""
    width: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of an id: ``texts`` new texts, or -1 to remove it."""

    id: str
    texts: int
    note: Mapping[str, Any]
    expected: bytes = b""

    def arguments(self) -> tuple[bytes, bytes, int, bytes]:
        """Return what the script takes."""
        return to_bytes(self.id), self.expected, self.texts, pack_note(self.note)
