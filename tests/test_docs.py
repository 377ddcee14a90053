"""What the documentation shows works: its examples run, and its links lead somewhere.

Every ``python`` block of README.md and docs/ runs as a script of its own (with pytest where it
defines tests), in an empty folder, without keys and without network. ``python no-run`` marks the
few that cannot. Other languages are not run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.rooms import ROOT
from tests.support.warm import run_warm

EXAMPLES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [*EXAMPLES, *(path for path in sorted(ROOT.glob("*.md")) if path not in EXAMPLES)]
KNOWN = {"", "bash", "console", "css", "diff", "html", "http", "ini", "javascript", "json"} | {
    *("lua", "mermaid", "python", "sh", "sql", "svg", "text", "toml", "typescript", "xml", "yaml")
}
MARKDOWN = MarkdownIt("commonmark").enable("table")

# Python runs this before anything else, in the example and in every Python that it starts.
OFFLINE = """
import ipaddress, socket, sys

def refuse(event, args):
    host = None
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    if isinstance(host, bytes):
        host = host.decode()
    if host not in (None, "", "localhost") and not local(host):
        raise OSError(f"this example is offline, and asked for {host}")

def local(host):
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

sys.addaudithook(refuse)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    options: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    for token in MARKDOWN.parse(page.read_text("utf-8")):
        if token.type == "fence":
            language, *options = token.info.split() or [""]
            line = token.map[0] + 1 if token.map else 0
            yield Block(page, line, language, tuple(options), token.content)


ALL_BLOCKS = [block for page in EXAMPLES for block in blocks(page)]
RUNNABLE = [block for block in ALL_BLOCKS if block.language == "python" and not block.options]


@pytest.mark.parametrize("block", RUNNABLE, ids=str)
def test_an_example_runs(block: Block, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = run(block.text, tmp_path_factory.mktemp("doc"))
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def run(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run an example in that folder, which is empty."""
    guard, project = folder / "guard", folder / "project"
    guard.mkdir()
    project.mkdir()
    (guard / "sitecustomize.py").write_text(OFFLINE)
    is_test = re.search(r"^(async )?def test_", code, re.MULTILINE)
    example = project / ("test_example.py" if is_test else "example.py")
    example.write_text(code, encoding="utf-8")
    kit = ["-m", "pytest", "-q", "-p", "treadle.runtime.testing.plugin"] if is_test else []
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(guard),
        "HOME": str(folder),
        "TREADLE_HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
    }
    return run_warm([*kit, example.name], cwd=project, env=environment)


def test_an_example_cannot_reach_the_network(tmp_path: Path) -> None:
    done = run("import socket\nsocket.create_connection(('192.0.2.1', 80), 1)", tmp_path)
    assert "this example is offline, and asked for 192.0.2.1" in done.stderr


def test_an_example_that_fails_is_seen(tmp_path: Path) -> None:
    assert run("def test_it():\n    assert False", tmp_path).returncode == 1


def test_the_readme_shows_how_to_embed() -> None:
    shown = [block for block in RUNNABLE if block.page.name == "README.md"]
    assert any("treadle.runtime" in block.text for block in shown)


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    # A misspelt language would be a block that nothing runs.
    strange = [
        f"{block}: {block.language} {' '.join(block.options)}".rstrip()
        for block in blocks(page)
        if block.language not in KNOWN
        or (block.language == "python" and block.options not in {(), ("no-run",)})
    ]
    assert not strange


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    assert not [f"{page.name}: {link}" for link in links(page) if broken(link, page)]


def links(page: Path) -> Iterator[str]:
    """Yield where a page's links and pictures point, those in HTML too."""
    waiting = list(MARKDOWN.parse(page.read_text("utf-8")))
    while waiting:
        token: Token = waiting.pop()
        waiting += token.children or []
        if token.type == "link_open":
            yield str(token.attrs["href"])
        elif token.type == "image":
            yield str(token.attrs["src"])
        elif token.type in {"html_block", "html_inline"}:
            yield from re.findall(r"(?:href|src|srcset)=[\"']([^\"'\s]+)", token.content)


def broken(link: str, page: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(parts.fragment) and target.suffix == ".md" and parts.fragment not in anchors(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    found: dict[str, int] = {}
    tokens = MARKDOWN.parse(page.read_text("utf-8"))
    names = set(re.findall(r"<a (?:name|id)=[\"']([^\"']+)", page.read_text("utf-8")))
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            title = "".join(child.content for child in inline.children or [])
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            names.add(f"{slug}-{found[slug]}" if slug in found else slug)
            found[slug] = found.get(slug, 0) + 1
    return names


def test_links_are_checked(tmp_path: Path) -> None:
    page = ROOT / "docs" / "page.md"
    assert broken("no-such-page.md", page)
    assert broken("../../outside.md", page)
    assert broken("../README.md#no-such-heading", page)
    assert not broken("../pyproject.toml", page)
    assert not broken("https://example.org/page", page)
