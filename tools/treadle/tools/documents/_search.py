"""The tool ``search_documents``."""

from datetime import timedelta

from langchain_core.tools import BaseTool

from treadle.core.calls import Effect
from treadle.core.sources import Passage, Source
from treadle.memory.textindex import Hit
from treadle.tools._contract import ToolResult, tool
from treadle.tools._registry import ToolContext
from treadle.tools.documents._collection import open_index

MOST_RESULTS = 20


def build(context: ToolContext) -> BaseTool:
    """Make the tool for a project's documents."""

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=15))
    async def search_documents(query: str, max_results: int = 5) -> ToolResult:
        """Search the user's own documents and return the passages that fit best.

        Ask with the words that the documents would use; every word counts, and those that few
        passages hold count most. Search again with other words when nothing fits.

        Args:
            query: what to look for: a question or keywords.
            max_results: how many passages to return, from 1 to 20.
        """
        index = open_index(context)
        wanted = min(max(max_results, 1), MOST_RESULTS)
        hits = _distinct(await index.search(query, 2 * wanted))[:wanted]
        if hits:
            return ToolResult(passages=[_passage(hit) for hit in hits])
        if not await index.count():
            return ToolResult("No documents are indexed; run 'treadle index PATH'.")
        return ToolResult(f"Nothing in the indexed documents matches {query[:200]!r}.")

    return search_documents


def _passage(hit: Hit) -> Passage:
    return Passage(hit.text, Source(hit.context, hit.id, str(hit.fields["locator"])))


def _distinct(hits: list[Hit]) -> list[Hit]:
    """Leave out passages that another file holds word for word."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.text, hit)
    return list(seen.values())
