"""Reading HTML: what a reader of the page would see, with the lines it comes from."""

import re
from dataclasses import dataclass, field

from bs4.element import NavigableString, PageElement, PreformattedString, Tag

from treadle.tools._soup import TooLongError, parse_html
from treadle.tools.documents.document import Block, Document, UnreadableError

_UNSEEN_TAGS = """
script style noscript template svg math head title nav footer form button select iframe
"""
_BLOCK_TAGS = """
address article aside blockquote body caption dd details div dl dt fieldset figcaption figure h1 h2
h3 h4 h5 h6 header hgroup hr html li main ol p pre section summary table tbody td tfoot th thead
tr ul
"""
_UNSEEN = frozenset(_UNSEEN_TAGS.split())
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_CELLS = frozenset({"td", "th"})
_HEADING = re.compile(r"h[1-6]$")


def read_html(text: str) -> Document:
    """Read a page; its menus, scripts and forms are left out.

    Raises:
        UnreadableError: it is written so that reading it would take too long.
    """
    try:
        soup = parse_html(text)
    except TooLongError:
        raise UnreadableError("takes too long to read") from None
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    return Document(_Blocks().of(soup.find("main") or soup.find("body") or soup), title)


@dataclass(slots=True)
class _Blocks:
    """Gathers the strings of a page into blocks.

    A string belongs to the block element around it, and a new one begins wherever such an
    element begins or ends. The cells of a table's row are one block.
    """

    done: list[Block] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    first: int = 0
    last: int = 0
    rows: int = 0

    def of(self, top: Tag) -> list[Block]:
        # A stack of our own: pages may nest deeper than Python recurses.
        stack: list[tuple[PageElement, bool]] = [(top, False)]
        line = 1
        while stack:
            node, leaving = stack.pop()
            if isinstance(node, Tag):
                if leaving:
                    self._end(node)
                elif node.name not in _UNSEEN and not _is_hidden(node):
                    line = node.sourceline or line
                    self._begin(node)
                    stack.append((node, True))
                    stack += [(child, False) for child in reversed(node.contents)]
            elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
                line = self._add(str(node), line)
        self._flush("")
        return self.done

    def _begin(self, tag: Tag) -> None:
        if tag.name in _CELLS:
            self.strings.append(" | " if _says_something(self.strings) else "")
        elif tag.name == "br":
            self.strings.append("\n")
        elif tag.name in _BLOCKS and not self.rows:
            self._flush("")
            self.strings.append("- " if tag.name == "li" else "")
        self.rows += tag.name == "tr"

    def _end(self, tag: Tag) -> None:
        self.rows -= tag.name == "tr"
        if tag.name in _BLOCKS and not self.rows:
            self._flush(tag.name)

    def _add(self, string: str, line: int) -> int:
        """Take a string that begins on a line; return the line it ends on."""
        if words := string.strip():
            begins = line + string[: string.index(words)].count("\n")
            if not _says_something(self.strings):
                self.first = begins
            self.last = begins + words.count("\n")
        self.strings.append(string)
        return line + string.count("\n")

    def _flush(self, name: str) -> None:
        """Make a block of the strings of the element that ends, if they say anything."""
        strings, self.strings = self.strings, []
        if not _says_something(strings):
            return
        raw = "".join(strings)
        code = name == "pre"
        text = raw.strip("\n") if code else " ".join(raw.split())
        level = int(name[1]) if _HEADING.match(name) else 0
        self.done.append(Block(text, self.first, self.last, level, code))


def _says_something(strings: list[str]) -> bool:
    return any(string.strip().strip(" -|") for string in strings)


def _is_hidden(tag: Tag) -> bool:
    return tag.has_attr("hidden") or tag.get("aria-hidden") == "true"
