"""The engine of ``ddgs`` that asks DuckDuckGo; loading it takes long."""

from typing import Any

from ddgs.engines.duckduckgo import Duckduckgo
from ddgs.exceptions import DDGSException, TimeoutException

__all__ = ["DDGSException", "Engine", "TimeoutException"]


class Engine(Duckduckgo):
    """The engine of ``ddgs``, which also remembers what it was sent."""

    status = 0
    page = ""

    def request(self, *args: Any, **kwargs: Any) -> str | None:
        response = self.http_client.request(*args, **kwargs)
        self.status, self.page = response.status_code, response.text
        return self.page if self.status == 200 and self.page.strip() else None
