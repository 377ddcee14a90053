"""A project's collections of documents: what is in them, and where their passages are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from treadle.core.errors import UnknownNameError
from treadle.core.settings import project_collection
from treadle.memory.textindex import Entry, Hit, IndexedText, Scores, TextIndex
from treadle.tools._registry import ToolContext
from treadle.tools.documents._metadata import Note


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that is in the index.

    Attributes:
        uri: its path: relative to the project if it lies inside, absolute otherwise.
        passages: the number of its passages.
    """

    uri: str
    passages: int


class Collection(Protocol):
    """Keeps the passages of files, and finds them again."""

    async def entries(self) -> dict[str, Entry]:
        """Return what is kept of each file."""

    async def add(self, passages: Sequence[IndexedText], notes: dict[str, Note]) -> None:
        """Keep files with their passages, in place of what was kept of them."""

    async def annotate(self, notes: dict[str, Note], known: dict[str, Entry]) -> None:
        """Give files other notes; their passages stay."""

    async def remove(self, uris: Sequence[str]) -> None:
        """Keep nothing of these files any more."""

    async def search(self, query: str, k: int, files: set[str] | None = None) -> list[Hit]:
        """Return the passages that fit best, of these files only where some are given."""

    async def complete(self) -> int:
        """Make what is made of passages once they are kept; return how many still lack it."""

    async def count(self) -> int:
        """Return the number of passages."""

    async def drop(self) -> int:
        """Remove all; return how many keys were removed from Redis."""


class RedisCollection:
    """A collection whose passages are found by BM25 in Redis."""

    def __init__(self, index: TextIndex) -> None:
        self._index = index

    async def entries(self) -> dict[str, Entry]:
        """Return what is kept of each file."""
        return await self._index.entries()

    async def add(self, passages: Sequence[IndexedText], notes: dict[str, Note]) -> None:
        """Keep files, each as a whole or not at all."""
        await self._index.add(passages, notes=notes)

    async def annotate(self, notes: dict[str, Note], known: dict[str, Entry]) -> None:
        """Give files other notes."""
        await self._index.annotate(notes, known)

    async def remove(self, uris: Sequence[str]) -> None:
        """Remove files."""
        await self._index.remove(uris)

    async def search(self, query: str, k: int, files: set[str] | None = None) -> list[Hit]:
        """Return the passages that fit best."""
        scores = await self._index.scores(query)
        if files is not None:
            entries = await self._index.entries(files)
            scores = only(scores, list(entries.values()))
        return await self._index.fetch(scores.best(k))

    async def complete(self) -> int:
        """Do nothing: passages are found by their words as they are."""
        return 0

    async def count(self) -> int:
        """Return the number of passages."""
        return await self._index.count()

    async def drop(self) -> int:
        """Remove the index."""
        return await self._index.drop()


async def indexed_files(context: ToolContext, collection: str = "") -> list[IndexedFile]:
    """Return the files in one of the project's collections, by path.

    Raises:
        UnknownNameError: there is no such collection.
    """
    entries = await open_collection(context, collection).entries()
    return [
        IndexedFile(uri, entry.note.get("passages", entry.texts))
        for uri, entry in sorted(entries.items())
    ]


async def drop(context: ToolContext, collection: str = "") -> int:
    """Remove one of the project's collections.

    Returns:
        how many keys were removed from Redis.

    Raises:
        UnknownNameError: there is no such collection.
    """
    return await open_collection(context, collection).drop()


def open_collection(context: ToolContext, name: str = "") -> Collection:
    """Return a collection of the project, ``""`` the one without a name; it may be empty yet.

    Raises:
        UnknownNameError: the settings name no such collection.
        ConfigError: its vector store or its embeddings cannot be made.
    """
    settings = context.settings.tools.documents
    if name and name not in settings.collections:
        hint = "A collection is an entry of [tools.documents.collections] in treadle.toml."
        raise UnknownNameError("collection", name, settings.collections, hint=hint)
    place = project_collection(context.project, context.settings) + (f":{name}" if name else "")
    key = f"{context.settings.prefix}docs:{{{place}}}"
    index = TextIndex(context.redis, key)
    if settings.embeddings is not None:
        return _hybrid(context, key, settings.embeddings)
    if settings.vector_store is None:
        return RedisCollection(index)
    from treadle.tools.documents._vector_store import (  # noqa: PLC0415 - it is seldom needed
        StoreCollection,
        vector_store,
    )

    return StoreCollection(index, vector_store(settings.vector_store, context.project, place))


def _hybrid(context: ToolContext, key: str, embeddings: str) -> Collection:
    from treadle.memory.recall import Embedder  # noqa: PLC0415 - only where it is configured
    from treadle.tools.documents._hybrid import HybridCollection  # noqa: PLC0415 - as above

    return HybridCollection(
        lambda space: TextIndex(context.redis, key, space=space), Embedder(embeddings)
    )


def uri_of(path: Path, project: Path) -> str:
    """Return the id of a file, given absolute paths without links."""
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)


def path_of(uri: str, project: Path) -> Path:
    """Return the file of an id."""
    return project / uri


def only(scores: Scores, entries: Sequence[Entry]) -> Scores:
    """Leave scores to the texts of these entries alone."""
    firsts = np.array(sorted((entry.first, entry.first + entry.texts) for entry in entries))
    if not len(firsts):
        return Scores(scores.numbers, np.zeros(len(scores.values)))
    at = np.searchsorted(firsts[:, 0], scores.numbers, side="right") - 1
    inside = (at >= 0) & (scores.numbers < firsts[np.maximum(at, 0), 1])
    return Scores(scores.numbers, np.where(inside, scores.values, 0.0))
