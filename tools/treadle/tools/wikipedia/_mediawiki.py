"""The connection to Wikipedia or another MediaWiki, for as long as one look-up takes."""

import asyncio
import re
from importlib.metadata import version
from typing import Any

from wikipediaapi import (  # type: ignore[import-untyped]
    AsyncWikipedia,
    SearchInfo,
    WikiConnectionError,
    WikiHttpError,
    WikiHttpTimeoutError,
    WikiInvalidJsonError,
    WikipediaException,
    WikiRateLimitError,
)

from treadle.core.certificates import distrust, trusted_authorities
from treadle.core.chosen_servers import held_to
from treadle.core.errors import ToolError
from treadle.tools._pacing import LONGEST_REST_SECONDS, REST_SECONDS, NoAnswerError, Pacer
from treadle.tools.wikipedia._article import Article, Hits
from treadle.tools.wikipedia._text import sections_of_extract, sections_of_html

__all__ = ["Client", "OnlineWiki", "WikipediaException", "explained"]

REQUEST_SECONDS = 8.0

_MAX_TITLE_BYTES = 255
_ANSWERS = {"batchcomplete", "continue", "error", "parse", "query"}
_GO_ON = "Go on without it, and say so in the answer."


class Client(AsyncWikipedia):  # type: ignore[misc]
    """The library's client, which can also ask another wiki and be closed."""

    def __init__(self, language: str, api_url: str | None, pacer: Pacer) -> None:
        self._api_url = api_url
        self._pacer = pacer
        self.place = api_url or f"{language}.wikipedia.org"
        super().__init__(
            user_agent=f"treadle/{version('treadle')}",
            language=language,
            max_retries=1,
            retry_wait=0.3,
            timeout=REQUEST_SECONDS,
            follow_redirects=True,
            verify=trusted_authorities(),
            transport=None,  # httpx's own, which heeds the proxy settings of the environment
            event_hooks=held_to(api_url or f"https://{self.place}"),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def ask(self, **parameters: Any) -> dict[str, Any]:
        """Send a request for which the library has no method."""
        answer: dict[str, Any] = await self._get(
            self.language, {"format": "json", "formatversion": 2, **parameters}
        )
        return answer

    async def _do_get(self, url: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            await asyncio.sleep(self._pacer.next_turn())
        except NoAnswerError as reason:
            raise ToolError(f"{self.place} {reason}.", hint=_GO_ON) from None
        try:
            answer = await super()._do_get(self._api_url or url, params)
        except WikiRateLimitError as error:
            self._pacer.rest(min(error.retry_after or REST_SECONDS, LONGEST_REST_SECONDS))
            # The library would wait as long as the server says, which may be an hour.
            raise explained(error, self.place) from error
        if not isinstance(answer, dict) or not _ANSWERS & answer.keys():
            raise WikiInvalidJsonError(url)
        if "error" in answer:
            problem = answer["error"]["info"]
            raise ToolError(f"{self.place} refused the request: {problem}", hint=_GO_ON)
        return answer


class OnlineWiki:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def search(self, query: str, limit: int) -> Hits:
        results = await self._client.search(query, limit=limit, info=[SearchInfo.SUGGESTION])
        return Hits(tuple(results.pages), results.suggestion or "")

    async def article(self, title: str) -> Article | None:
        if not _may_be_a_title(title):
            return None
        answer = await self._client.ask(
            action="query",
            titles=title,
            redirects=1,
            converttitles=1,
            prop="info|extracts|pageprops",
            inprop="url",
            explaintext=1,
            exsectionformat="wiki",
            ppprop="disambiguation",
        )
        pages = answer.get("query", {}).get("pages", [])
        if not pages or pages[0].get("ns") != 0 or "pageid" not in pages[0]:
            return None
        return await self._read(pages[0])

    async def _read(self, page: dict[str, Any]) -> Article:
        lists_meanings = "disambiguation" in page.get("pageprops", {})
        if "extract" in page:
            sections = sections_of_extract(page["extract"])
        else:  # The wiki lacks the TextExtracts extension.
            parsed = await self._client.ask(
                action="parse", pageid=page["pageid"], prop="text", disableeditsection=1
            )
            html = parsed["parse"]["text"]
            sections, marked = await asyncio.to_thread(sections_of_html, html)
            lists_meanings = lists_meanings or marked
        lists_meanings = lists_meanings or page["title"].endswith("(disambiguation)")
        return Article(page["title"], page["canonicalurl"], sections, lists_meanings)


def _may_be_a_title(text: str) -> bool:
    return len(text.encode()) <= _MAX_TITLE_BYTES and not re.search(r"[#<>\[\]{}|\x00-\x1f]", text)


def explained(error: WikipediaException, place: str) -> ToolError:
    """Say what went wrong between us and the wiki, and what to do about it."""
    if isinstance(error, WikiHttpError):
        return _refused(error, place)
    if (certificate := distrust(error)) is not None:
        return ToolError(f"{place} {certificate.problem}.", hint=f"{certificate.hint} {_GO_ON}")
    problem, hint = {
        WikiHttpTimeoutError: (f"gave no answer within {REQUEST_SECONDS:g} seconds", ""),
        WikiConnectionError: (
            "cannot be reached",
            "There may be no network, or no edition in that language.",
        ),
        WikiInvalidJsonError: (
            "does not answer as a MediaWiki does",
            "If tools.wikipedia.api_url is set, it must be the address of an api.php.",
        ),
    }.get(type(error), (f"failed ({error})", ""))
    return ToolError(f"{place} {problem}.", hint=f"{hint} {_GO_ON}".lstrip())


def _refused(error: WikiHttpError, place: str) -> ToolError:
    if isinstance(error, WikiRateLimitError):
        wait = f"Wait {error.retry_after} seconds, or go" if error.retry_after else "Go"
        return ToolError(
            f"{place} asks us to slow down (HTTP 429).", hint=f"{wait} on without it for now."
        )
    return ToolError(f"{place} answered with HTTP {error.status_code}.", hint=_GO_ON)
