"""DuckDuckGo, through one engine of ``ddgs``.

``ddgs`` as a whole asks several engines at random and tells every failure as "No results found".
One engine, with its ``request`` overridden, tells a refusal, an outage and an empty result apart.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from treadle.tools._pacing import REST_SECONDS, NoAnswerError, Pacer
from treadle.tools.web_search._sources import REQUEST_SECONDS, WebResult, meaning_of_status

if TYPE_CHECKING:
    from treadle.tools.web_search._ddgs_engine import Engine

_REFUSALS = {202, 403, 429}
_CHALLENGE_MARKS = ("anomaly-modal", "challenge-form", "g-recaptcha")
_NOTHING_FOUND_MARKS = ("no-result", "No results")
_UNREACHABLE = {"ConnectError", "DNSError", "DNSTimeoutError"}

_threads = ThreadPoolExecutor(max_workers=3, thread_name_prefix="web-search")


class DuckDuckGo:
    """Asks DuckDuckGo, at most as often as the pacer lets it."""

    name = "DuckDuckGo"

    def __init__(self, region: str, pacer: Pacer, seconds: int = REQUEST_SECONDS) -> None:
        self._region = region
        self._pacer = pacer
        self._seconds = seconds

    async def search(self, query: str) -> list[WebResult]:
        """Ask in a thread; see `SearchEngine`."""
        await asyncio.sleep(self._pacer.next_turn())
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads, self._ask, query)

    def _ask(self, query: str) -> list[WebResult]:
        from treadle.tools.web_search import _ddgs_engine as ddgs  # noqa: PLC0415 - loads long

        engine = ddgs.Engine(timeout=self._seconds)
        try:
            results = engine.search(query, region=self._region)
        except ddgs.TimeoutException as error:
            raise NoAnswerError(
                self._unreachable(error) or f"gave no answer within {self._seconds} seconds"
            ) from error
        except ddgs.DDGSException as error:
            raise NoAnswerError(self._unreachable(error) or "dropped the connection") from error
        except Exception as error:  # its parser's own
            raise NoAnswerError(f"sent a page that cannot be read ({error})") from error
        self._refuse_if_refused(engine)
        found = [WebResult(r.title, _direct(r.href), r.body) for r in results or ()]
        found = [r for r in found if r.title and r.url.startswith(("http://", "https://"))]
        if not found:
            self._make_sure_nothing_was_found(engine.page)
        return found

    def _refuse_if_refused(self, engine: "Engine") -> None:
        if engine.status in _REFUSALS:
            self._pacer.rest(REST_SECONDS)
        if engine.status != 200:
            raise NoAnswerError(meaning_of_status(engine.status))

    def _make_sure_nothing_was_found(self, page: str) -> None:
        """Tell an honest empty result from a page without any."""
        if not page.strip():
            raise NoAnswerError("sent an empty page")
        if any(mark in page for mark in _CHALLENGE_MARKS):
            self._pacer.rest(REST_SECONDS)
            raise NoAnswerError("asks for proof that a person is searching")
        if not any(mark in page for mark in _NOTHING_FOUND_MARKS):
            raise NoAnswerError("sent a page in which no results can be read")

    def _unreachable(self, error: Exception) -> str:
        is_so = type(error.__cause__).__name__ in _UNREACHABLE
        return "cannot be reached (there may be no network)" if is_so else ""


def _direct(url: str) -> str:
    """Return the address behind DuckDuckGo's own redirect."""
    _, redirected, address = url.partition("duckduckgo.com/l/?uddg=")
    return address.rpartition("&rut=")[0] or address if redirected else url
