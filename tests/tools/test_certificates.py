"""What is said of a server whose certificate is not trusted, and how it is told to trust it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.web_server import Answer, web_server
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool
from treadle.tools._pacing import NoAnswerError, Pacer
from treadle.tools.web_search._searxng import SearXNG

Ask = Callable[[str], Awaitable[str]]


async def wikipedia(url: str) -> str:
    settings = Settings.model_validate({"tools": {"wikipedia": {"api_url": f"{url}/api.php"}}})
    tool = build_tool("wikipedia", ToolContext(Path(), settings, None))
    return str(await tool.ainvoke({"query": "looms"}))


async def searxng(url: str) -> str:
    with pytest.raises(NoAnswerError) as caught:
        await SearXNG(url, "wt-wt", Pacer(interval_seconds=0)).search("looms")
    return str(caught.value)


@pytest.mark.parametrize("ask", [wikipedia, searxng])
async def test_an_authority_of_ones_own_is_asked_for_and_taken(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = Authority(tmp_path)
    async with web_server(company.issue("127.0.0.1")) as web:
        said = await ask(web.url)
        assert "shows a certificate that is not trusted: unable to get" in said
        assert "SSL_CERT_FILE" in said
        assert web.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(company.certificate))
        web.answer = Answer(status=403)
        assert "403" in await ask(web.url)
