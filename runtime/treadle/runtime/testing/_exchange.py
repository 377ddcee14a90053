"""What one answer is rendered from, and what goes over the wire."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.runtime.testing._replies import Answer, Break
from treadle.runtime.testing._tokens import Tokens

_SMALLEST_PIECE_CHARS = 8
_MOST_PIECES = 500
FIRST_CREATED_UNIX_SECONDS = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer together with the request it answers.

    Attributes:
        serial: unlike that of any other answer, in this server or another; part of every id.
        created: Unix time in seconds; a counter, not a clock, so that it can be relied on.
        body: the request's JSON body.
        answer: what the script says.
        tokens: the usage to report.
    """

    serial: str
    created: int
    body: Mapping[str, Any]
    answer: Answer
    tokens: Tokens

    def call_id(self, at: int) -> str:
        """Return the id of the answer's tool call number ``at``."""
        return f"call_{self.serial}{at:02d}"


@dataclass(frozen=True, slots=True)
class Wire:
    """A response as bytes.

    Attributes:
        status: HTTP status code.
        parts: the body, in the pieces in which it is written.
        headers: beside the length and the connection.
        length: bytes of the whole body; ``None`` for a stream, sent chunked.
        ending: what happens after the parts, when it is not a proper end.
        silent: send nothing at all, not even the status line.
        max_seconds: how long to hang.
    """

    status: int
    parts: Iterable[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    ending: Break | None = None
    silent: bool = False
    max_seconds: float = 0.0


def pieces(text: str) -> list[str]:
    """Cut a text as a stream delivers it: small pieces, blind to words, never too many."""
    size = max(_SMALLEST_PIECE_CHARS, -(-len(text) // _MOST_PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]
