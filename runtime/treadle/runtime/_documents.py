"""The project's document index, as the runtime offers it."""

from collections.abc import Sequence
from pathlib import Path

from treadle.tools import ToolContext
from treadle.tools.documents import IndexReport, Progress, index


class Documents:
    """The documents that the ``search_documents`` tool of a project reads."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    async def index(
        self, paths: Sequence[Path], *, on_progress: Progress | None = None
    ) -> IndexReport:
        """Read files and folders into the index; only what changed is read again.

        Raises:
            InputError: a path does not exist.
        """
        return await index(paths, self._context, on_progress=on_progress)
