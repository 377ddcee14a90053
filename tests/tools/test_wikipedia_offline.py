"""The tool on ZIM files that the tests write with libzim."""

import asyncio
import sys
from pathlib import Path

import pytest

from treadle.core.errors import ConfigError
from treadle.core.settings import Settings
from treadle.tools import Tool, ToolContext, build_tool
from treadle.tools.wikipedia import _offline

writer = pytest.importorskip("libzim.writer", reason="libzim is not installed (treadle[zim])")

PAGES = {
    "Ada Lovelace": """
        <p><b>Ada Lovelace</b> was an English mathematician, born in London.</p>
        <section><h2>Death</h2><p>She died of uterine cancer<sup class="reference">[3]</sup> in
        1852.</p></section>
        <details><summary><h2>Work</h2></summary><ul><li>Note A</li><li>Note G<ul><li>with the
        algorithm</li></ul></li></ul>
        <table><tr><th>Field</th><td><p>Mathematics</p></td></tr></table></details>
        <script>track()</script><table class="navbox"><tr><td>Navigation</td></tr></table>""",
    "Mercury": """
        <meta property="mw:PageProp/disambiguation"/><p>Mercury may refer to:</p>
        <ul><li><a href="Mercury_(planet)">Mercury (planet)</a>, near the Sun</li>
        <li><a href="Mercury_(element)">Mercury (element)</a>, a metal</li></ul>""",
    "Mercury (planet)": "<p>Mercury is the planet closest to the Sun.</p>",
    "Mercury (element)": "<p>Mercury is liquid at room temperature.</p>",
    "Notes/Æon": "<div>Bare text without a paragraph.</div>",
}


class Page(writer.Item):
    def __init__(self, title: str, html: str) -> None:
        super().__init__()
        self.title = title
        self.html = f"<html><head><title>{title}</title></head><body>{html}</body></html>"

    def get_path(self) -> str:
        return self.title.replace(" ", "_")

    def get_title(self) -> str:
        return self.title

    def get_mimetype(self) -> str:
        return "text/html"

    def get_contentprovider(self) -> writer.ContentProvider:
        return writer.StringProvider(self.html)

    def get_hints(self) -> dict[writer.Hint, int]:
        return {writer.Hint.FRONT_ARTICLE: True}


def write_zim(path: Path, *, indexed: bool, source: str = "https://en.wikipedia.org/") -> Path:
    with writer.Creator(path).config_indexing(indexed, "eng") as creator:
        creator.set_mainpath("Ada_Lovelace")
        for title, html in PAGES.items():
            creator.add_item(Page(title, html))
        front = {writer.Hint.FRONT_ARTICLE: True}
        creator.add_redirection("Ada_Byron", "Ada Byron", "Ada_Lovelace", front)
        creator.add_metadata("Language", "eng")
        if source:
            creator.add_metadata("Source", source)
    return path


@pytest.fixture(scope="session")
def indexed_zim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_zim(tmp_path_factory.mktemp("zim") / "wikipedia_en_test.zim", indexed=True)


@pytest.fixture(scope="session")
def bare_zim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_zim(tmp_path_factory.mktemp("zim") / "wikipedia_en_bare.zim", indexed=False)


@pytest.fixture(params=["indexed_zim", "bare_zim"])
def zim(request: pytest.FixtureRequest) -> Path:
    """Give a file with a full-text index, then one with titles alone."""
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


def tool_with(zim: Path, project: Path = Path()) -> Tool:
    settings = Settings.model_validate({"tools": {"wikipedia": {"zim": str(zim)}}})
    tool = build_tool("wikipedia", ToolContext(project, settings, None))
    assert isinstance(tool, Tool)
    return tool


async def ask(zim: Path, query: str) -> tuple[str, list[dict[str, str]]]:
    call = {"type": "tool_call", "id": "1", "name": "wikipedia", "args": {"query": query}}
    message = await tool_with(zim).ainvoke(call)
    return message.content, (message.artifact or {}).get("sources", [])


async def test_an_article_is_read_by_sections_with_its_address_on_wikipedia(zim):
    text, sources = await ask(zim, "Ada Lovelace")
    assert "born in London" in text
    assert "Field | Mathematics" in text
    assert [source["locator"] for source in sources] == ["", "Death", "Work"]
    assert sources[0]["uri"] == "https://en.wikipedia.org/wiki/Ada_Lovelace"
    for noise in ("[3]", "track()", "Navigation"):
        assert noise not in text


async def test_full_text_search_finds_what_no_title_says(indexed_zim):
    text, sources = await ask(indexed_zim, "mathematicians who died of cancer")
    assert "From the article 'Ada Lovelace'" in text
    assert sources[0]["locator"] == "Death"


async def test_a_file_without_an_index_is_searched_by_its_titles(bare_zim):
    assert "closest to the Sun" in (await ask(bare_zim, "mercury plan"))[0]
    assert "From the article 'Ada Lovelace'" in (await ask(bare_zim, "Who was Ada Lovelace?"))[0]
    assert "has no article about" in (await ask(bare_zim, "uterine cancer"))[0]


async def test_a_redirect_leads_to_the_article(zim):
    text, sources = await ask(zim, "Ada Byron")
    assert "From the article 'Ada Lovelace'" in text
    assert sources


async def test_an_ambiguous_title_is_answered_with_the_choices(zim):
    text, sources = await ask(zim, "mercury")
    assert "- Mercury (planet), near the Sun" in text
    assert not sources


async def test_text_outside_paragraphs_is_read_too(zim):
    assert "Bare text without a paragraph." in (await ask(zim, "Notes/Æon"))[0]


async def test_what_is_not_there_is_answered_with_the_nearest_titles(zim):
    text, _ = await ask(zim, "Ada Lovelaxe")
    assert "has no article about 'Ada Lovelaxe'" in text
    assert "Nearest titles: Ada Lovelace" in text


@pytest.mark.parametrize("query", ['"', "AND ( OR *", "x" * 5_000, "../../etc/passwd", "\0"])
async def test_odd_queries_get_an_answer(zim, query):
    text, _ = await ask(zim, query)
    assert "no article about" in text or "empty" in text


async def test_a_hundred_calls_at_once_share_one_open_file(indexed_zim):
    tool = tool_with(indexed_zim)
    queries = ["Ada Lovelace", "liquid room temperature", "Mercury (planet)", "cancer 1852"] * 25
    answers = await asyncio.gather(*(tool.ainvoke({"query": query}) for query in queries))
    expected = ["Ada Lovelace", "Mercury (element)", "Mercury (planet)", "Ada Lovelace"] * 25
    for title, text in zip(expected, answers, strict=True):
        assert f"From the article {title!r}" in text
    assert _offline._open_once(indexed_zim) is _offline._open_once(indexed_zim)


async def test_a_file_from_elsewhere_is_cited_by_its_own_name(tmp_path):
    path = write_zim(tmp_path / "own.zim", indexed=True, source="")
    _, sources = await ask(path, "Ada Lovelace")
    assert sources[0]["uri"] == "own.zim/Ada_Lovelace"


async def test_a_relative_path_begins_at_the_project(tmp_path):
    write_zim(tmp_path / "own.zim", indexed=True)
    tool = tool_with(Path("own.zim"), project=tmp_path)
    assert "born in London" in await tool.ainvoke({"query": "Ada Lovelace"})


def test_a_missing_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.zim: .* cannot be read: No such file"):
        tool_with(tmp_path / "none.zim")


@pytest.mark.parametrize("content", [b"", b"not a ZIM file", b"ZIM\x04" + b"\xff" * 500])
def test_what_is_no_zim_file_is_a_configuration_error(tmp_path, content):
    path = tmp_path / "broken.zim"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a ZIM file, or it is damaged"):
        tool_with(path)


def test_a_file_cut_short_is_a_configuration_error(tmp_path, indexed_zim):
    path = tmp_path / "cut.zim"
    path.write_bytes(indexed_zim.read_bytes()[:5_000])
    with pytest.raises(ConfigError, match="not a ZIM file, or it is damaged"):
        tool_with(path)


async def test_damage_inside_the_file_is_told_to_the_model(tmp_path, bare_zim):
    """Wherever the damage is, the tool answers or says that the file is damaged."""
    good = bare_zim.read_bytes()
    path = tmp_path / "damaged.zim"
    told = set()
    for place in range(80, len(good) - 16, max(1, len(good) // 40)):
        path.write_bytes(good[:place] + b"\xff" * 16 + good[place + 16 :])
        try:
            text, _ = await ask(path, "Ada Lovelace")
        except ConfigError:
            continue
        told.add("is damaged" in text)
        assert "wikipedia failed" not in text
    assert True in told


def test_without_libzim_it_says_what_to_install(indexed_zim, monkeypatch):
    monkeypatch.setitem(sys.modules, "libzim.reader", None)
    _offline._open.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'treadle\[zim\]'"):
        tool_with(indexed_zim)
