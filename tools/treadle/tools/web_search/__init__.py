"""The ``web_search`` tool: asks search engines in turn, and says which one answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from treadle.core.calls import Effect
from treadle.core.errors import ToolError, TreadleError
from treadle.core.sources import Passage, Source
from treadle.tools._contract import Tool, ToolResult, tool
from treadle.tools._pacing import Cache, NoAnswerError, Pacer, Pacers
from treadle.tools._registry import ToolContext
from treadle.tools.web_search._duckduckgo import DuckDuckGo
from treadle.tools.web_search._searxng import SearXNG
from treadle.tools.web_search._sources import (
    RESULTS_WANTED,
    SearchEngine,
    WebResult,
)
from treadle.tools.wikipedia import Encyclopedia, encyclopedia_of, look_up

__all__ = ["Pacer", "SearchChain", "build", "make_tool"]

MAX_QUERY_CHARS = 400

Found = tuple[str, list[WebResult]]
"""Who answered, and with what."""

_pacer = Pacer()
_pacers = Pacers(interval_seconds=0.2)
"""Of SearXNG servers: one's own asks several engines for each of our searches."""
_cache: Cache[Found] = Cache()


def build(context: ToolContext) -> Tool:
    """Make the tool; every tool of the process shares one pace and one cache.

    Raises:
        ConfigError: when the settings name no web address or an unreadable ZIM file.
    """
    settings = context.settings.tools.web_search
    engines: list[SearchEngine] = [DuckDuckGo(settings.region, _pacer)]
    if url := settings.searxng_url:
        engines.append(SearXNG(url, settings.region, _pacers.of(url)))
    encyclopedia = encyclopedia_of(context.settings.tools.wikipedia, context.project)
    return make_tool(SearchChain(engines, encyclopedia, _cache, settings.region))


@dataclass(frozen=True)
class SearchChain:
    """Search engines that are asked in turn until one finds something.

    Attributes:
        engines: the engines, the preferred one first.
        encyclopedia: where the query is looked up when none of them finds anything.
        cache: keeps what was found.
        region: what tells apart the answers to one query in the cache.
    """

    engines: Sequence[SearchEngine]
    encyclopedia: Encyclopedia
    cache: Cache[Found]
    region: str = ""

    async def search(self, query: str, max_results: int) -> ToolResult:
        """Return the pages found, with who found them and why others did not.

        Raises:
            ToolError: when the query is empty or nobody answers.
        """
        query = " ".join(query.replace("\0", " ").split())[:MAX_QUERY_CHARS]
        if not query:
            raise ToolError("The query is empty.", hint="Write what to search for.")
        key = (query.casefold(), self.region, tuple(engine.name for engine in self.engines))
        if kept := self.cache.get(key):
            return _result(f"Found by {kept[0]} (a few minutes ago).", kept[1], max_results)
        silent: list[str] = []
        for engine in self.engines:
            try:
                found = await engine.search(query)
            except NoAnswerError as reason:
                silent.append(f"{engine.name} {reason}.")
                continue
            if found:
                found = found[:RESULTS_WANTED]
                self.cache.put(key, (engine.name, found))
                return _result(_told(f"Found by {engine.name}.", silent), found, max_results)
            silent.append(f"{engine.name} found nothing.")
        return await self._look_up(query, max_results, silent)

    async def _look_up(self, query: str, max_results: int, silent: list[str]) -> ToolResult:
        try:
            known = await look_up(self.encyclopedia, query)
        except TreadleError as error:
            silent.append(error.message)
            known = ToolResult()
        if known.passages:
            text = _told(f"{self.encyclopedia.name} answered instead of the web.", silent)
            return ToolResult(f"{text} {known.text}", known.passages[:max_results])
        if any(reason.endswith("found nothing.") for reason in silent):
            return ToolResult(_told(f"Nothing was found on the web about {query!r}.", silent))
        raise ToolError(
            _told("No search engine answered.", silent),
            hint="Go on without the web, and say so in the answer.",
        )


def make_tool(chain: SearchChain) -> Tool:
    """Make the tool that searches with a chain."""

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=45))
    async def web_search(query: str, max_results: int = 5) -> ToolResult:
        """Search the web. Returns the title, address and a few sentences of each page found.

        Best for news, products, prices, people in the public eye and anything recent or local. Use
        wikipedia for established knowledge, and search_documents for the user's own files.

        Args:
            query: what to search for, in a few words, as typed into a search engine.
            max_results: how many pages to return, from 1 to 10.
        """
        return await chain.search(query, min(max(max_results, 1), RESULTS_WANTED))

    return web_search


def _result(text: str, found: list[WebResult], max_results: int) -> ToolResult:
    passages = [
        Passage(f"{result.url}\n{result.snippet}", Source(result.title, result.url))
        for result in found[:max_results]
    ]
    return ToolResult(text, passages)


def _told(answer: str, silent: list[str]) -> str:
    return " ".join([answer, *silent])
