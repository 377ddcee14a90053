"""A collection whose passages any LangChain vector store keeps and finds."""

import json
from collections.abc import Sequence
from pathlib import Path

from langchain_core.documents import Document as StoredDocument
from langchain_core.vectorstores import VectorStore

from treadle.core.errors import ConfigError
from treadle.core.files import load_object
from treadle.memory.textindex import Entry, Hit, IndexedText, TextIndex
from treadle.tools.documents._metadata import Note

FEWEST_LOOKED_AT = 200
"""How many passages are asked for where only those of some files are wanted."""


class StoreCollection:
    """Passages in a vector store, files in Redis.

    A file is noted after its passages are stored, and they have ids of their own, so work that
    was interrupted is done again and nothing is kept twice.
    """

    def __init__(self, files: TextIndex, store: VectorStore) -> None:
        self._files = files
        self._store = store

    async def entries(self) -> dict[str, Entry]:
        """Return what is kept of each file."""
        return await self._files.entries()

    async def add(self, passages: Sequence[IndexedText], notes: dict[str, Note]) -> None:
        """Keep files with their passages, in place of what was kept of them."""
        before = await self._files.entries(notes)
        counts = dict.fromkeys(notes, 0)
        documents = []
        for passage in passages:
            id_ = _passage_id(passage.id, counts[passage.id])
            counts[passage.id] += 1
            documents.append(_stored(id_, passage))
        # Stores differ in whether a passage that is there is replaced.
        await self._delete(before)
        if documents:
            await self._store.aadd_documents(documents, ids=[str(each.id) for each in documents])
        noted = {uri: {**note, "passages": counts[uri]} for uri, note in notes.items()}
        await self._files.add([], notes=noted)

    async def annotate(self, notes: dict[str, Note], known: dict[str, Entry]) -> None:
        """Give files other notes."""
        kept = {
            uri: {**note, "passages": known[uri].note.get("passages", 0)}
            for uri, note in notes.items()
        }
        await self._files.annotate(kept, known)

    async def remove(self, uris: Sequence[str]) -> None:
        """Remove files and their passages."""
        await self._delete(await self._files.entries(uris))
        await self._files.remove(uris)

    async def search(self, query: str, k: int, files: set[str] | None = None) -> list[Hit]:
        """Return the passages that fit best."""
        asked = k if files is None else max(FEWEST_LOOKED_AT, 10 * k)
        found = await self._store.asimilarity_search(query, k=asked)
        hits = [_hit(document) for document in found]
        return [hit for hit in hits if files is None or hit.id in files][:k]

    async def complete(self) -> int:
        """Do nothing: the store makes its own vectors."""
        return 0

    async def count(self) -> int:
        """Return the number of passages."""
        entries = (await self._files.entries()).values()
        return sum(entry.note.get("passages", 0) for entry in entries)

    async def drop(self) -> int:
        """Remove all."""
        await self._delete(await self._files.entries())
        return await self._files.drop()

    async def _delete(self, entries: dict[str, Entry]) -> None:
        ids = [
            _passage_id(uri, number)
            for uri, entry in entries.items()
            for number in range(entry.note.get("passages", 0))
        ]
        for start in range(0, len(ids), 1_000):
            await self._store.adelete(ids[start : start + 1_000])


def vector_store(name: str, project: Path, collection: str) -> VectorStore:
    """Make the store of a collection.

    Args:
        name: ``path.py:function``.
        project: where the path begins.
        collection: what the function is called with.

    Raises:
        ConfigError: there is no such function, or it returns something else.
    """
    made = load_object(name, project)
    if not callable(made):
        raise ConfigError(f"{name} is a {type(made).__name__}, not a function.")
    store = made(collection)
    if not isinstance(store, VectorStore):
        raise ConfigError(
            f"{name} returned a {type(store).__name__}, not a LangChain vector store."
        )
    return store


def _passage_id(uri: str, number: int) -> str:
    return f"{uri}#{number}"


def _stored(id_: str, passage: IndexedText) -> StoredDocument:
    meta = {"uri": passage.id, "context": passage.context, "fields": json.dumps(passage.fields)}
    text = f"{passage.context}\n\n{passage.text}" if passage.context else passage.text
    return StoredDocument(text, id=id_, metadata=meta)


def _hit(document: StoredDocument) -> Hit:
    meta = document.metadata
    text = document.page_content.removeprefix(f"{meta['context']}\n\n")
    return Hit(meta["uri"], 0.0, text, meta["context"], json.loads(meta["fields"]), 0)
