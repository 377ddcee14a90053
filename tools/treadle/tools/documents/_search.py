"""The tool ``search_documents``."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from langchain_core.tools import BaseTool

from treadle.core.calls import Effect
from treadle.core.sources import Passage, Source
from treadle.memory.embeddings import embeddings_named
from treadle.memory.textindex import Hit
from treadle.tools._contract import ToolResult, tool
from treadle.tools._registry import ToolContext
from treadle.tools.documents._collection import Collection, open_collection
from treadle.tools.documents._metadata import check_conditions, fits

MOST_RESULTS = 20

_TOLD = """Search the user's own documents and return the passages that fit best.

Ask with the words that the documents would use; every word counts, and those that few
passages hold count most. Search again with other words when nothing fits.

Args:
    query: what to look for: a question or keywords.
    max_results: how many passages to return, from 1 to 20.
    where: only documents that fit these conditions, such as {"type": "pdf"}, {"path": "laws/*"}
        or {"modified": {"min": "2025-01-01"}}; what documents say of themselves can be named too.
"""


def build(context: ToolContext) -> BaseTool:
    """Make the tool for a project's documents.

    Raises:
        UnknownNameError, ConfigError: the settings name no embeddings.
    """
    settings = context.settings.tools.documents
    if settings.embeddings is not None:
        embeddings_named(settings.embeddings)
    collections = settings.collections
    search = _with_collections(context) if collections else _without_collections(context)
    lines = [f"        {name!r}: {what}" for name, what in collections.items()]
    choice = "    collection: one of these; all when not given.\n" + "\n".join(lines) + "\n"
    search.__doc__ = _TOLD + (choice if collections else "")
    return tool(name="search_documents", effect=Effect.READ, time_limit=timedelta(seconds=15))(
        search
    )


_Search = Callable[..., Awaitable[ToolResult]]


def _without_collections(context: ToolContext) -> _Search:
    async def search(
        query: str, max_results: int = 5, where: dict[str, Any] | None = None
    ) -> ToolResult:
        return await _found([open_collection(context)], query, max_results, where or {})

    return search


def _with_collections(context: ToolContext) -> _Search:
    async def search(
        query: str,
        max_results: int = 5,
        where: dict[str, Any] | None = None,
        collection: str = "",
    ) -> ToolResult:
        names = ["", *context.settings.tools.documents.collections]
        chosen = [collection] if collection else names
        opened = [open_collection(context, name) for name in chosen]
        return await _found(opened, query, max_results, where or {})

    return search


async def _found(
    collections: Sequence[Collection], query: str, max_results: int, where: Mapping[str, Any]
) -> ToolResult:
    wanted = min(max(max_results, 1), MOST_RESULTS)
    chosen = await _files(collections, where) if where else [None] * len(collections)
    lists = [
        await each.search(query, 2 * wanted, files)
        for each, files in zip(collections, chosen, strict=True)
    ]
    hits = _distinct(interleaved(lists))[:wanted]
    if hits:
        return ToolResult(passages=[_passage(hit) for hit in hits])
    if not sum([await each.count() for each in collections]):
        return ToolResult("No documents are indexed; run 'treadle index PATH'.")
    told = f"Nothing in the indexed documents matches {query[:200]!r}"
    return ToolResult(f"{told} where {dict(where)!r}." if where else f"{told}.")


async def _files(
    collections: Sequence[Collection], where: Mapping[str, Any]
) -> list[set[str] | None]:
    """Return the files of each collection that fit the conditions.

    Raises:
        ToolError: no file says anything of that kind.
    """
    entries = [await each.entries() for each in collections]
    metas = [{uri: entry.note.get("meta", {}) for uri, entry in each.items()} for each in entries]
    known = {key for each in metas for meta in each.values() for key in meta}
    if known:
        check_conditions(where, known)
    return [{uri for uri, meta in each.items() if fits(meta, where)} for each in metas]


def interleaved(lists: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Merge rankings whose scores cannot be compared: the first of each, then the second."""
    placed = [(place, hit) for hits in lists for place, hit in enumerate(hits)]
    return [hit for _, hit in sorted(placed, key=lambda each: each[0])]


def _passage(hit: Hit) -> Passage:
    return Passage(hit.text, Source(hit.context, hit.id, str(hit.fields["locator"])))


def _distinct(hits: list[Hit]) -> list[Hit]:
    """Leave out passages that another file holds word for word."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.text, hit)
    return list(seen.values())
