"""The project's document index, as the runtime offers it."""

from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path

from treadle.tools import ToolContext
from treadle.tools.documents import IndexedFile, IndexReport, drop, index, indexed_files, watch


class Documents:
    """The documents that the ``search_documents`` tool of a project reads."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context

    async def index(
        self,
        paths: Iterable[str | Path],
        *,
        collection: str = "",
        on_progress: Callable[[int, int, Path], None] | None = None,
    ) -> IndexReport:
        """Read files and folders into the index; only what changed is read again.

        Args:
            paths: files and folders; relative ones are relative to the project.
            collection: one that the settings name; the one without a name when not given.
            on_progress: told the number of files done, of all files, and the file at hand.

        Raises:
            InputError: a path does not exist.
        """
        return await index(paths, self._context, collection=collection, on_progress=on_progress)

    def watch(
        self, paths: Iterable[str | Path], *, collection: str = ""
    ) -> AsyncGenerator[IndexReport, None]:
        """Index now, and again whenever a file changes; yields what each indexing did.

        Args: as for `index`.

        Raises:
            InputError: a path does not exist.
        """
        return watch(paths, self._context, collection=collection)

    async def files(self, collection: str = "") -> list[IndexedFile]:
        """Return the files in a collection, by path."""
        return await indexed_files(self._context, collection)

    async def forget(self, collection: str = "") -> int:
        """Remove a collection; return how many keys were removed from Redis."""
        return await drop(self._context, collection)
