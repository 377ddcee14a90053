"""Wikipedia, or any other MediaWiki, over the network."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from treadle.core.errors import ToolError
from treadle.core.tool_settings import WikipediaSettings
from treadle.tools._pacing import Pacers
from treadle.tools.wikipedia._article import Wiki

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,12}){0,2}|simple")

_pacers = Pacers(interval_seconds=0.1)


class OnlineEncyclopedia:
    """A wiki on the network; each time it is opened it has connections of its own.

    All that ask one server in this process share a pace: ten requests a second, and rest where it
    asks for it.
    """

    def __init__(self, settings: WikipediaSettings, pacers: Pacers = _pacers) -> None:
        self._settings = settings
        self._pacers = pacers
        self.name = f"The wiki at {settings.api_url}" if settings.api_url else "Wikipedia"

    @asynccontextmanager
    async def opened(self, language: str) -> AsyncIterator[Wiki]:
        """Open the edition in a language; a wiki of one's own has only one."""
        from treadle.tools.wikipedia import _mediawiki  # noqa: PLC0415 - it takes long to load

        code = (language.strip() or self._settings.language).lower()
        if not _LANGUAGE.fullmatch(code):
            raise ToolError(
                f"{language or code!r} is not the code of a Wikipedia edition.",
                hint="Use a code such as 'en', 'fr' or 'zh-yue', or leave the language out.",
            )
        server = self._settings.api_url or "wikipedia.org"
        client = _mediawiki.Client(code, self._settings.api_url, self._pacers.of(server))
        try:
            yield _mediawiki.OnlineWiki(client)
        except _mediawiki.WikipediaException as error:
            raise _mediawiki.explained(error, client.place) from error
        finally:
            await client.aclose()
