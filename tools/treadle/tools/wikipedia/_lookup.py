"""Looking something up: from a query to the passages of the best article."""

import asyncio
from difflib import SequenceMatcher

from treadle.core.errors import ToolError
from treadle.tools._contract import ToolResult
from treadle.tools.wikipedia._article import Article, Encyclopedia, Hits, Wiki
from treadle.tools.wikipedia._passages import best_passages, keywords, names

MAX_QUERY_CHARS = 300
"""What Wikipedia's own search takes."""

_HITS = 8
_MEANINGS = 30
_NEAREST = 5


async def look_up(encyclopedia: Encyclopedia, query: str, language: str = "") -> ToolResult:
    """Return the passages of the article that fits a query best.

    A page that only lists meanings is answered with the choices, and a query that finds nothing
    with the nearest titles.

    Raises:
        ToolError: when the query is empty or the encyclopedia cannot be read.
    """
    query = " ".join(query.replace("\0", " ").split())[:MAX_QUERY_CHARS]
    if not query:
        raise ToolError("The query is empty.", hint="Name the subject to look up.")
    async with encyclopedia.opened(language) as wiki:
        named, found = await asyncio.gather(wiki.article(query), _search(wiki, query))
        article = named or await _first_readable(wiki, found.titles)
        if article is None:
            return await _nothing_found(wiki, encyclopedia.name, query)
    if article.lists_meanings:
        return _choices(article)
    return _answer(article, query, found)


async def _search(wiki: Wiki, query: str) -> Hits:
    """Search for a query, then for less and less of it, until something is found."""
    hits = await wiki.search(query, _HITS)
    attempts = [hits.suggestion, " ".join(keywords(query)), " ".join(names(query))]
    tried = {"", query}
    for attempt in attempts:
        if hits.titles:
            break
        if attempt not in tried:
            tried.add(attempt)
            hits = await wiki.search(attempt, _HITS)
    return hits


async def _first_readable(wiki: Wiki, titles: tuple[str, ...]) -> Article | None:
    """Return the best hit's article; an index may still name one that is gone."""
    for title in titles[:3]:
        if article := await wiki.article(title):
            return article
    return None


def _answer(article: Article, query: str, found: Hits) -> ToolResult:
    others = [title for title in found.titles if title != article.title][:_NEAREST]
    text = f"From the article {article.title!r} ({article.url})."
    if not article.sections:
        text += " It holds no text."
    if others:
        text += f" Other articles found: {_listed(others)}."
    return ToolResult(text, best_passages(article, query))


def _choices(article: Article) -> ToolResult:
    """Offer the articles that an ambiguous title may mean."""
    lines = [line for section in article.sections for line in section.text.splitlines()]
    meanings = [line for line in lines if not line.endswith(":")]
    shown = "\n".join(f"- {line}" for line in meanings[:_MEANINGS])
    left = len(meanings) - _MEANINGS
    more = f"\n({left} more meanings are at {article.url})" if left > 0 else ""
    return ToolResult(
        f"{article.title!r} may mean several things. "
        f"Call wikipedia again with the title of the one that is meant:\n{shown}{more}"
    )


async def _nothing_found(wiki: Wiki, name: str, query: str) -> ToolResult:
    words = sorted(keywords(query), key=len, reverse=True)[:4]
    found = await asyncio.gather(*(wiki.search(word, _NEAREST) for word in words))
    titles = {title for hits in found for title in hits.titles}
    text = f"{name} has no article about {query!r}."
    if titles:
        nearest = sorted(titles, key=lambda title: _likeness(title, query), reverse=True)
        text += f" Nearest titles: {_listed(nearest[:_NEAREST])}."
    return ToolResult(f"{text} Try another spelling or fewer words.")


def _likeness(title: str, query: str) -> float:
    return SequenceMatcher(None, title.casefold(), query.casefold()).ratio()


def _listed(titles: list[str]) -> str:
    return "; ".join(titles)
