"""The project's document index, as the runtime offers it."""

from collections.abc import Callable, Iterable
from pathlib import Path

from treadle.tools import ToolContext
from treadle.tools.documents import IndexedFile, IndexReport, drop, index, indexed_files


class Documents:
    """The documents that the ``search_documents`` tool of a project reads."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    async def index(
        self,
        paths: Iterable[str | Path],
        *,
        on_progress: Callable[[int, int, Path], None] | None = None,
    ) -> IndexReport:
        """Read files and folders into the index; only what changed is read again.

        Args:
            paths: files and folders; relative ones are relative to the project.
            on_progress: told the number of files done, of all files, and the file at hand.

        Raises:
            InputError: a path does not exist.
        """
        return await index(paths, self._context, on_progress=on_progress)

    async def files(self) -> list[IndexedFile]:
        """Return the files in the index, by path."""
        return await indexed_files(self._context)

    async def forget(self) -> int:
        """Remove the index; return how many keys were removed from Redis."""
        return await drop(self._context)
