"""Parsing HTML that anybody may have written, in bounded time."""

import time
from typing import Any

from bs4 import BeautifulSoup

MAX_SECONDS = 20.0
"""How long parsing one page may compute: some short pages make a parser compute for hours."""


class TooLongError(Exception):
    """Parsing took too long."""


class _Soup(BeautifulSoup):
    """A tree that looks at the time whenever the parser tells it of something."""

    def __init__(self, text: str, seconds: float) -> None:
        self._end = time.thread_time() + seconds
        # What follows keeps it from warning of a short text that could be a name or address.
        super().__init__(f"{text} \n", "html.parser")

    def handle_starttag(self, *args: Any, **kwargs: Any) -> Any:
        self._look()
        return super().handle_starttag(*args, **kwargs)

    def handle_data(self, data: str) -> None:
        self._look()
        super().handle_data(data)

    def _look(self) -> None:
        if time.thread_time() > self._end:
            raise TooLongError


def parse_html(text: str) -> BeautifulSoup:
    """Return the tree of a page.

    Raises:
        TooLongError: parsing computed for `MAX_SECONDS` and was not done.
    """
    return _Soup(text, MAX_SECONDS)
