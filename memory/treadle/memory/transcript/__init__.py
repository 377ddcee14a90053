"""Everything that was said on a thread, to be read, searched and exported page by page.

`Transcript` keeps the messages of a thread in Redis in the order in which they were said, also
those that have left the graph's state. `export_json` and `export_markdown` write a whole thread
without holding it in memory; a `Turn` is a message as they show it.
"""

from treadle.memory.transcript._export import (
    Render,
    Turn,
    export_json,
    export_markdown,
    plain_turn,
    plain_turns,
    to_markdown,
)
from treadle.memory.transcript._transcript import Page, Said, Transcript

__all__ = [
    "Page",
    "Render",
    "Said",
    "Transcript",
    "Turn",
    "export_json",
    "export_markdown",
    "plain_turn",
    "plain_turns",
    "to_markdown",
]
