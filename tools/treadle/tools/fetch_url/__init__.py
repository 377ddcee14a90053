"""The ``fetch_url`` tool: reads one page of the public web, as its robots.txt allows."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.core.outgoing import Outgoing
from treadle.core.sources import Passage, Source
from treadle.tools._contract import Tool, ToolResult, tool
from treadle.tools._registry import ToolContext
from treadle.tools.fetch_url._page import Page
from treadle.tools.fetch_url._robots import Robots

__all__ = ["Page", "WebReader", "build", "make_tool"]

MAX_HOPS = 5
PART_CHARS = 7_000
_READABLE = {"accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.8,*/*;q=0.1"}


@dataclass(frozen=True)
class WebReader:
    """Reads pages, and asks each site's robots.txt first.

    Attributes:
        outgoing: sends the requests.
        robots: what sites allow; shared by all readers of it.
    """

    outgoing: Outgoing
    robots: Robots = field(default_factory=Robots)

    async def page(self, url: str) -> Page:
        """Return a page's text.

        Raises:
            OutgoingError: the address may not be reached or gives no answer within bounds.
            ToolError: the site does not want it read, says that it is not there, or it is in no
                form that can be read.
        """
        # Redirects are followed here, as each may lead to a site with rules of its own.
        single = replace(self.outgoing, max_redirects=0)
        for _ in range(MAX_HOPS + 1):
            if not await self.robots.allow(url, self.outgoing):
                raise ToolError(f"The site's robots.txt does not allow {url} to be read.")
            answer = await single.request("GET", url, headers=_READABLE)
            if not answer.has_redirect_location:
                return await self._read(url, answer)
            url = str(httpx.URL(url).join(answer.headers["location"]))
        raise ToolError(f"The page redirects more than {MAX_HOPS} times.")

    async def _read(self, url: str, answer: httpx.Response) -> Page:
        if not answer.is_success:
            raise ToolError(
                f"{url} answered with HTTP {answer.status_code}.",
                hint="Look for another page, or go on without it.",
            )
        from treadle.tools.fetch_url._reading import read  # noqa: PLC0415 - it takes long to load

        return await asyncio.to_thread(read, answer)


_robots = Robots()


def build(context: ToolContext) -> Tool:
    """Make the tool; every tool of the process shares what robots.txt files say."""
    return make_tool(WebReader(Outgoing(context.settings.outgoing.allowed()), _robots))


def make_tool(reader: WebReader) -> Tool:
    """Make the tool that reads with a reader."""

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=45))
    async def fetch_url(url: str, part: int = 1) -> ToolResult:
        """Read the main text of a web page or PDF, as found by web_search or given by the user.

        Args:
            url: its address, beginning with http:// or https://.
            part: which part of a long text to return, from 1; the answer says how many there are.
        """
        page = await reader.page(url.strip())
        parts = max(1, -(-len(page.text) // PART_CHARS))
        if not 1 <= part <= parts:
            raise ToolError(f"There is no part {part}: the page has {parts}.")
        text = page.text[(part - 1) * PART_CHARS : part * PART_CHARS]
        locator = f"part {part} of {parts}" if parts > 1 else ""
        more = f"Ask for part {part + 1} to read on." if part < parts else ""
        return ToolResult(more, [Passage(text, Source(page.title or page.url, page.url, locator))])

    return fetch_url
