"""A wiki in a ZIM file, read without a network."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from treadle.core.errors import ConfigError, ToolError
from treadle.tools.wikipedia._article import Article, Hits, Wiki
from treadle.tools.wikipedia._text import sections_of_html

if TYPE_CHECKING:
    from libzim.reader import Archive, Entry

Result = TypeVar("Result")

_MAX_PAGE_BYTES = 8_000_000
_DAMAGE = (RuntimeError, UnicodeDecodeError)
"""What libzim raises: its own errors, and those of decoding their messages or a page's title."""


class OfflineEncyclopedia:
    """A ZIM file, kept open for as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ConfigError: when it is missing or damaged, or ``libzim`` is not installed.
        """
        self._wiki = _OfflineWiki(path, _open_once(path))
        self.name = f"The offline encyclopedia {path.name}"

    @asynccontextmanager
    async def opened(self, language: str) -> AsyncIterator[Wiki]:
        """Give the wiki; a file holds one language, whatever is asked for."""
        yield self._wiki


class _OfflineWiki:
    """Runs libzim, which blocks and whose searches share state, in one thread at a time."""

    def __init__(self, path: Path, archive: "Archive") -> None:
        self._path = path
        self._archive = archive
        self._lock = threading.Lock()

    async def search(self, query: str, limit: int) -> Hits:
        return Hits(tuple(await self._in_thread(lambda: self._titles(query, limit))))

    async def article(self, title: str) -> Article | None:
        page = await self._in_thread(lambda: self._page(title))
        if page is None:
            return None
        found_title, url, html = page
        sections, lists_meanings = await asyncio.to_thread(sections_of_html, html)
        lists_meanings = lists_meanings or found_title.endswith("(disambiguation)")
        return Article(found_title, url, sections, lists_meanings)

    async def _in_thread(self, read: Callable[[], Result]) -> Result:
        def read_alone() -> Result:
            with self._lock:
                return read()

        try:
            return await asyncio.to_thread(read_alone)
        except _DAMAGE as error:
            raise ToolError(
                f"The ZIM file {self._path} is damaged: {error}.",
                hint="Go on without it; the file has to be downloaded again.",
            ) from error

    def _titles(self, query: str, limit: int) -> list[str]:
        """Return the titles that full-text search finds, then those that begin alike."""
        from libzim.search import Query, Searcher  # noqa: PLC0415 - an extra
        from libzim.suggestion import SuggestionSearcher  # noqa: PLC0415

        paths: list[str] = []
        if self._archive.has_fulltext_index:
            found = Searcher(self._archive).search(Query().set_query(query))
            paths += found.getResults(0, limit)
        suggested = SuggestionSearcher(self._archive).suggest(query)
        paths += suggested.getResults(0, limit)
        entries = [_target(self._archive.get_entry_by_path(path)) for path in paths]
        return list(dict.fromkeys(entry.title for entry in entries))[:limit]

    def _page(self, title: str) -> tuple[str, str, bytes] | None:
        """Return title, address and HTML of an article, ``None`` if there is none."""
        spellings = (title, title[:1].upper() + title[1:])
        known = [name for name in spellings if self._archive.has_entry_by_title(name)]
        if not known:
            return None
        entry = _target(self._archive.get_entry_by_title(known[0]))
        item = entry.get_item()
        if not item.mimetype.startswith("text/html") or item.size > _MAX_PAGE_BYTES:
            return None
        return entry.title, self._address(entry.path), bytes(item.content)

    def _address(self, path: str) -> str:
        """Return the page's address at its origin, or its place in the file."""
        if "Source" in self._archive.metadata_keys:
            source = self._archive.get_metadata("Source").decode(errors="replace").strip("/ ")
            host = source.removeprefix("https://").removeprefix("http://")
            if host.endswith(".wikipedia.org"):
                return f"https://{host}/wiki/{quote(path.removeprefix('A/'), safe='/:,()')}"
        return f"{self._path.name}/{path}"


def _target(entry: "Entry") -> "Entry":
    """Follow redirects; the writer of the file has seen to it that they end."""
    for _ in range(10):
        if not entry.is_redirect:
            return entry
        entry = entry.get_redirect_entry()
    raise RuntimeError(f"the redirects of {entry.path!r} do not end")


def _open_once(path: Path) -> "Archive":
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(
            f"the ZIM file of tools.wikipedia.zim cannot be read: {error.strerror}.",
            hint="Set tools.wikipedia.zim to a file that is there, or remove the setting.",
            path=path,
        ) from None
    return _open(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _open(path: Path, modified: int, size: int) -> "Archive":
    """Open a file; opened again only when it was replaced."""
    try:
        from libzim.reader import Archive  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "tools.wikipedia.zim needs the package 'libzim', which is not installed.",
            hint="Install it with: pip install 'treadle[zim]'",
        ) from None
    try:
        return Archive(path)
    except _DAMAGE as error:
        raise ConfigError(
            f"this is not a ZIM file, or it is damaged: {error}.",
            hint="Download it again, or remove tools.wikipedia.zim from the settings.",
            path=path,
        ) from None
