"""Reading articles out of what wikis send: plain-text extracts and HTML."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from treadle.core.errors import ToolError
from treadle.tools.wikipedia._article import Outline, Section

if TYPE_CHECKING:
    from bs4 import Tag
    from bs4.element import NavigableString

_HEADING = re.compile(r"(={2,6})\s*(.+?)\s*\1\s*")

_BLOCKS = {"h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "dt", "dd", "blockquote", "pre"}
_NOT_PROSE = (
    "script, style, noscript, sup.reference, ol.references, .mw-editsection, .navbox, .metadata, "
    ".noprint, .toc, .sidebar, .mw-empty-elt"
)
_LISTS_MEANINGS = (
    'meta[property="mw:PageProp/disambiguation"], #disambigbox, .dmbox-disambig, .disambigbox'
)


def sections_of_extract(extract: str) -> tuple[Section, ...]:
    """Split a plain-text extract, whose headings stand between equals signs, into sections."""
    outline = Outline()
    for line in extract.splitlines():
        if heading := _HEADING.fullmatch(line):
            outline.heading(len(heading[1]), heading[2])
        else:
            outline.paragraph(line.strip())
    return outline.sections()


def sections_of_html(html: str | bytes) -> tuple[tuple[Section, ...], bool]:
    """Return the sections of a page, and whether the page marks itself as a list of meanings."""
    from treadle.tools._soup import TooLongError, parse_html  # noqa: PLC0415 - it takes long to load

    try:
        soup = parse_html(html if isinstance(html, str) else html.decode("utf-8", "replace"))
    except TooLongError:
        raise ToolError("The article is written so that it takes too long to read.") from None
    lists_meanings = soup.select_one(_LISTS_MEANINGS) is not None
    for element in soup.select(_NOT_PROSE):
        element.decompose()
    body = soup.select_one(".mw-parser-output") or soup.body or soup
    outline = Outline()
    for block, strings in groupby(body.strings, key=_block):
        if block is not None and block.name[0] == "h":
            outline.heading(int(block.name[1]), _flat(strings))
        elif block is not None and block.name == "tr":
            outline.paragraph(_row(strings))
        else:
            outline.paragraph(_flat(strings))
    return outline.sections(), lists_meanings


def _block(text: "NavigableString") -> "Tag | None":
    """Return what a text is a line of: a row of a table, else the innermost block."""
    innermost = None
    for parent in text.parents:
        if parent.name == "tr":
            return parent
        if innermost is None and parent.name in _BLOCKS:
            innermost = parent
    return innermost


def _row(strings: "Iterable[NavigableString]") -> str:
    cells = groupby(strings, key=lambda text: text.find_parent(["td", "th"]))
    texts = [_flat(cell) for _, cell in cells]
    return " | ".join(text for text in texts if text)


def _flat(strings: Iterable[str]) -> str:
    text = " ".join("".join(strings).split())
    return re.sub(r" ([,.;:)])", r"\1", text)
