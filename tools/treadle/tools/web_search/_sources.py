"""What a search engine answers with, and how it fails to."""

from dataclasses import dataclass
from typing import Protocol

REQUEST_SECONDS = 6
RESULTS_WANTED = 10


@dataclass(frozen=True, slots=True)
class WebResult:
    """A page that a search engine names, with what it quotes of it."""

    title: str
    url: str
    snippet: str


class SearchEngine(Protocol):
    """A search engine.

    Attributes:
        name: what a person would call it.
    """

    name: str

    async def search(self, query: str) -> list[WebResult]:
        """Return what it finds, best first; nothing when it says that there is nothing.

        Raises:
            NoAnswerError: when it does not answer.
        """


def meaning_of_status(status: int) -> str:
    """Say what an engine means by an HTTP status other than 200."""
    return {
        202: "asks us to slow down (HTTP 202, its way to say so)",
        403: "refuses us (HTTP 403)",
        429: "asks us to slow down (HTTP 429)",
    }.get(status, f"answered with HTTP {status}")
