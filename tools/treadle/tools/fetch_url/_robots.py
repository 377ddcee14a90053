"""What a site's robots.txt allows (RFC 9309)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.robotparser import RobotFileParser

import httpx

from treadle.core.errors import ToolError
from treadle.core.outgoing import Outgoing

AGENT = "treadle"
KEPT_SECONDS = 3_600.0
MAX_SITES = 500
MAX_BYTES = 512_000
"""RFC 9309 asks for at least 500 KiB."""


@dataclass
class Robots:
    """Rules of sites, asked for once an hour.

    Attributes:
        clock: tells the time in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, RobotFileParser]] = field(default_factory=dict)

    async def allow(self, url: str, outgoing: Outgoing) -> bool:
        """Tell whether a page may be read.

        Raises:
            OutgoingError: the site cannot be reached, or may not be.
            ToolError: this is no address of a page.
        """
        site = _site(url)
        now = self.clock()
        kept = self._kept.get(site)
        if kept is None or now - kept[0] > KEPT_SECONDS:
            kept = (now, await _rules(site, outgoing))
            self._kept.pop(site, None)
            self._kept[site] = kept
            if len(self._kept) > MAX_SITES:
                del self._kept[next(iter(self._kept))]
        return kept[1].can_fetch(AGENT, url)


def _site(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ToolError(f"{url!r} is no web address: {error}.") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ToolError(
            f"{url!r} is no web address.", hint="It begins with http:// or https://, then a host."
        )
    return str(parsed.copy_with(raw_path=b"/robots.txt", fragment=None))


async def _rules(address: str, outgoing: Outgoing) -> RobotFileParser:
    answer = await replace(outgoing, max_bytes=MAX_BYTES).request("GET", address)
    rules = RobotFileParser()
    if answer.status_code >= 500:
        rules.disallow_all = True  # type: ignore[attr-defined]
    elif answer.is_success:
        rules.parse(answer.content.decode("utf-8", "replace").splitlines())
    else:
        rules.allow_all = True  # type: ignore[attr-defined]
    return rules
