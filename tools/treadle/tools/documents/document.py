"""What a file holds, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


class UnreadableError(Exception):
    """A file cannot be read; the message is the reason, told to the user beside its path."""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list, table or piece of code.

    Attributes:
        text: the block's text.
        first: the line or page it begins on, from 1.
        last: the line or page it ends on.
        level: 1 to 6 for a heading, 0 for anything else.
        kept_whole: it is to be cut only when it cannot be a passage by itself: code, tables.
    """

    text: str
    first: int
    last: int
    level: int = 0
    kept_whole: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text in order.

    Attributes:
        blocks: the text.
        title: what the file calls itself, apart from its headings; may be empty.
        unit: what the blocks' places count.
        meta: what the file says of itself: its front matter.
    """

    blocks: Sequence[Block]
    title: str = ""
    unit: Literal["line", "page"] = "line"
    meta: Mapping[str, Any] = field(default_factory=dict)
