"""Bringing the index up to date with files."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from treadle.core.errors import InputError
from treadle.memory.textindex import Entry, IndexedText
from treadle.tools._registry import ToolContext
from treadle.tools.documents._collection import Collection, open_collection, path_of, uri_of
from treadle.tools.documents._files import Found, find
from treadle.tools.documents._formats import load, parse
from treadle.tools.documents._metadata import Note, metadata_of, stamp_of
from treadle.tools.documents._passages import Cut, cut
from treadle.tools.documents.document import Document, UnreadableError

READING = 2
"""Raised whenever the same file would give other passages: every file is then read anew."""

PASSAGES_PER_WRITE = 256

Progress: TypeAlias = Callable[[int, int, Path], None]
"""Told the number of files done, the number of all files, and the file at hand."""


@dataclass(slots=True)
class IndexReport:
    """What indexing did.

    Attributes:
        added: files that are new in the index.
        changed: files that were read again because their content changed.
        unchanged: files that were left as they are; most of them were not even opened.
        removed: files that are gone, or hold nothing to index any more.
        skipped: what could not be read, and why. What the index held of it stays.
        passages: the number of passages the index holds now.
        without_vector: of these, the passages that are found by their words only, because the
            embeddings failed; the next indexing tries again.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    passages: int = 0
    without_vector: int = 0


async def index(
    paths: Iterable[str | Path],
    context: ToolContext,
    *,
    collection: str = "",
    on_progress: Progress | None = None,
) -> IndexReport:
    """Bring one of the project's collections up to date with files and folders.

    New and changed files are read; files that vanished from below the paths are removed; the rest
    of the index is left alone. Each file changes in the index at once and whole. Interrupted
    work is kept, and the next call goes on from there.

    Args:
        paths: files and folders; relative ones are relative to the project.
        context: the project, its settings and its Redis.
        collection: the collection's name, as the settings give it; the one without a name when
            not given.
        on_progress: called before each file, and once at the end.

    Raises:
        InputError: a path leads nowhere, now and when the index was last brought up to date.
        UnknownNameError: there is no such collection.
    """
    project = context.project.resolve()
    roots = [resolved(path, project) for path in paths]
    kept_in = open_collection(context, collection)
    work = _Work(kept_in, project, await kept_in.entries())
    _check(roots, work)
    found = await asyncio.to_thread(find, roots)
    work.report.skipped += found.skipped
    for done, path in enumerate(found.files):
        if on_progress:
            on_progress(done, len(found.files), path)
        await work.take(path)
    await work.flush()
    await work.remove_vanished(roots, found)
    if on_progress and found.files:
        on_progress(len(found.files), len(found.files), found.files[-1])
    work.report.without_vector = await work.index.complete()
    work.report.passages = await work.index.count()
    return work.report


class _Work:
    """One call of `index`."""

    def __init__(self, collection: Collection, project: Path, known: dict[str, Entry]) -> None:
        self.project = project
        self.known = known
        self.index = collection
        self.report = IndexReport()
        self._passages: list[IndexedText] = []
        self._notes: dict[str, Note] = {}
        self._seen: dict[str, Note] = {}

    async def take(self, path: Path) -> None:
        """Read a file if it changed."""
        uri = uri_of(path, self.project)
        known = self.known.get(uri)
        try:
            read = await asyncio.to_thread(_read, path, uri, known.note if known else {})
        except UnreadableError as error:
            self.report.skipped.append((path, str(error)))
            return
        if not isinstance(read, _Read):
            self.report.unchanged += 1
            if read:
                self._seen[uri] = read
            return
        self._notes[uri] = read.note
        self._passages += (_to_text(passage, read.document, uri) for passage in read.passages)
        if known:
            self.report.changed += 1
        else:
            self.report.added += 1
        if len(self._passages) >= PASSAGES_PER_WRITE:
            await self.flush()

    async def flush(self) -> None:
        """Write what was read."""
        await self.index.add(self._passages, self._notes)
        self._passages, self._notes = [], {}
        if self._seen:
            await self.index.annotate(self._seen, self.known)
            self._seen = {}

    async def remove_vanished(self, roots: Sequence[Path], found: Found) -> None:
        """Remove the files below the roots that are not there any more."""
        present = set(found.files)
        unseen = [path for path, _ in found.skipped]
        gone = [
            uri
            for uri in self.known
            if (path := path_of(uri, self.project)) not in present
            and _is_below(path, roots)
            and not _is_below(path, unseen)
        ]
        await self.index.remove(gone)
        self.report.removed = len(gone)


@dataclass(frozen=True, slots=True)
class _Read:
    note: Note
    document: Document
    passages: list[Cut]


def _read(path: Path, uri: str, known: Mapping[str, Any]) -> _Read | Note | None:
    """Read a file that changed.

    Returns:
        ``None`` for a file that looks as it did, which is not opened; its note, with the look it
        has now, for one that only looks otherwise.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - it may be any bytes
    except OSError as error:
        raise UnreadableError((error.strerror or type(error).__name__).lower()) from None
    stamp = stamp_of(status)
    is_read_so = str(known.get("digest", "")).startswith(f"{READING}:")
    if stamp and is_read_so and known.get("stamp") == stamp:
        return None
    data = load(path)
    digest = f"{READING}:{hashlib.sha256(data).hexdigest()}"
    if digest == known.get("digest"):
        return {**known, "stamp": stamp} if stamp else None
    document = parse(path, data)
    note = {"digest": digest, "stamp": stamp, "meta": metadata_of(uri, status, document.meta)}
    return _Read(note, document, cut(document))


def _to_text(passage: Cut, document: Document, uri: str) -> IndexedText:
    title = " > ".join(passage.headings) or Path(uri).name
    locator = f"{document.unit} {passage.first}"
    if passage.last > passage.first:
        locator = f"{document.unit}s {passage.first}-{passage.last}"
    return IndexedText(uri, passage.text, context=title, fields={"locator": locator})


def resolved(path: str | Path, project: Path) -> Path:
    """Return a path without links; a relative one begins at the project's folder."""
    return (project / Path(path).expanduser()).resolve()


def _check(roots: Sequence[Path], work: _Work) -> None:
    for root in roots:
        was_there = any(_is_below(path_of(uri, work.project), [root]) for uri in work.known)
        if not root.exists() and not was_there:
            raise InputError(f"There is no file or folder {root}.")


def _is_below(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
