"""A SearXNG server, through its JSON interface."""

import asyncio
from typing import Any

import httpx

from treadle.core.certificates import distrust, trusted_authorities
from treadle.core.chosen_servers import held_to
from treadle.core.errors import ConfigError, OutgoingError
from treadle.tools._pacing import REST_SECONDS, NoAnswerError, Pacer
from treadle.tools.web_search._sources import REQUEST_SECONDS, WebResult, meaning_of_status

MAX_BYTES = 2_000_000


class SearXNG:
    """Asks a SearXNG server, usually the user's own, at most as often as the pacer lets it."""

    def __init__(self, url: str, region: str, pacer: Pacer, seconds: int = REQUEST_SECONDS) -> None:
        """Take the server's address.

        Raises:
            ConfigError: when it is no address of a web server.
        """
        if httpx.URL(url).scheme not in {"http", "https"}:
            raise ConfigError(
                f"tools.web_search.searxng_url = {url!r} is no web address.",
                hint="Set it to one such as 'http://localhost:8888'.",
            )
        self.name = f"SearXNG at {url}"
        self._url = f"{url.rstrip('/')}/search"
        self._language = _language(region)
        self._pacer = pacer
        self._seconds = seconds

    async def search(self, query: str) -> list[WebResult]:
        """Ask the server; see `SearchEngine`."""
        parameters = {"q": query, "format": "json", **self._language}
        await asyncio.sleep(self._pacer.next_turn())
        try:
            # A server that drips is stopped too: httpx's own limit is for each piece.
            async with asyncio.timeout(self._seconds), self._client() as client:
                response = await client.get(self._url, params=parameters)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise NoAnswerError(f"gave no answer within {self._seconds} seconds") from error
        except httpx.ConnectError as error:
            certificate = distrust(error)
            told = f"{certificate.problem}. {certificate.hint}" if certificate else ""
            raise NoAnswerError(told.strip(" .") or "cannot be reached") from error
        except httpx.HTTPError as error:
            raise NoAnswerError("dropped the connection") from error
        except OutgoingError as error:
            raise NoAnswerError(f"cannot be read: {error.message.rstrip('.')}") from error
        if response.status_code == 429:
            self._pacer.rest(REST_SECONDS)
        return _results(response)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self._seconds,
            verify=trusted_authorities(),
            event_hooks=held_to(self._url, MAX_BYTES),
        )


def _results(response: httpx.Response) -> list[WebResult]:
    if response.status_code == 403:
        raise NoAnswerError(
            "refuses us (HTTP 403; its settings.yml must list 'json' under search.formats)"
        )
    if response.status_code != 200:
        raise NoAnswerError(meaning_of_status(response.status_code))
    try:
        answer = response.json()
        found = [_result(item) for item in answer["results"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnswerError("does not answer as SearXNG does") from error
    found = [result for result in found if result.url.startswith(("http://", "https://"))]
    if not found and (silent := answer.get("unresponsive_engines")):
        engines = ", ".join(str(engine[0]) for engine in silent)
        raise NoAnswerError(f"got no answer from its own engines ({engines})")
    return found


def _result(item: dict[str, Any]) -> WebResult:
    return WebResult(
        item.get("title") or item["url"], item["url"], " ".join((item.get("content") or "").split())
    )


def _language(region: str) -> dict[str, str]:
    """Translate a region such as ``fr-fr``; ``wt-wt`` means none."""
    country, _, language = region.partition("-")
    return {"language": f"{language}-{country.upper()}"} if language not in {"", "wt"} else {}
