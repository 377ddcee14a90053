"""Cutting a text into pieces: sentences, list items, table rows and code, as Markdown has them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from treadle.agents.embedded._sentences import sentences

_MAX_MARKUP_CHARS = 2_000
"""A longer line is read as prose: what is not markup must not cost time to find out."""

_MAX_ITEM_CHARS = 240
"""A longer list item is cut into its sentences."""


class Form(Enum):
    """What a piece is in the text it was taken from."""

    SENTENCE = 1
    ITEM = 2
    ROW = 3
    CODE = 4


@dataclass(frozen=True)
class Piece:
    """A sentence, a list item, a table row or a block of code.

    Attributes:
        text: the piece, without links, images and tags.
        form: what it is.
        headings: the headings above it, outermost first, joined by " > ".
        lead: the sentence with a colon that introduces its list, table or code.
        block: the number of its paragraph, list, table or block of code.
    """

    text: str
    form: Form
    headings: str
    lead: str
    block: int


_FENCE = re.compile(r"^\s{0,8}(`{3,}|~{3,})")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(\S.*)$|^\s{0,3}(={2,6})\s*([^=]+?)\s*\3\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+\u2022]\s+|(?=\d{1,3}[.)]\s))(\S.*)$")
_ROW = re.compile(r"^\s*\|(.+)\|\s*$")
_RULE = re.compile(r"^\s*(?:[-=*_]\s*){3,}$")
_TABLE_RULE = re.compile(r"^\s*\|(?:\s*:?-+:?\s*\|)+\s*$")
_RUN_IN = re.compile(r"^(\*\*|__)[^*_]{1,80}\1[.:]?$|^(\*\*|__)[^*_]{1,80}[.:]\2$")


def pieces(lines: Sequence[str]) -> list[Piece]:
    """Return the pieces of a text, in order."""
    reader = _Reader()
    for line, following in zip(lines, (*lines, "")[1:], strict=True):
        reader.read(line, following)
    reader.close()
    return reader.found


class _Reader:
    """Reads a text line by line."""

    def __init__(self) -> None:
        self.found: list[Piece] = []
        self._block = 0
        self._headings: list[tuple[int, str]] = []
        self._lead = ""
        self._prose: list[str] = []
        self._item: list[str] = []
        self._in_list = False
        self._columns: list[str] | None = None
        self._fence = ""
        self._code: list[str] = []

    def read(self, line: str, following: str) -> None:
        if self._fence:
            self._read_code(line)
        elif not line.strip():
            self._end_prose()
            self._end_item()
            self._columns = None
        elif len(line) > _MAX_MARKUP_CHARS:
            self._add_prose(line)
        elif opened := _FENCE.match(line):
            self._new_block()
            self._fence = opened[1]
        elif not self._read_heading(line, following) and not self._read_row(line, following):
            self._read_item_or_prose(line)

    def close(self) -> None:
        if self._code:
            self._add("\n".join(self._code), Form.CODE)
        self._end_prose()
        self._end_item()

    def _read_code(self, line: str) -> None:
        closing = line.strip()
        if closing.startswith(self._fence) and not closing.strip("`~"):
            self._add("\n".join(self._code), Form.CODE)
            self._fence, self._code = "", []
        else:
            self._code.append(line)

    def _read_heading(self, line: str, following: str) -> bool:
        if _RULE.match(line):
            self._end_prose()
            self._end_item()
            return True
        if found := _HEADING.match(line):
            level, text = len(found[1] or found[3]), found[2] or found[4]
        elif _is_underline(following) and not self._prose and not _ITEM.match(line):
            level, text = 1 if following.lstrip()[0] == "=" else 2, line.strip()
        else:
            return False
        self._new_block()
        self._lead = ""
        self._headings = [one for one in self._headings if one[0] < level]
        self._headings.append((level, _inline(text).rstrip("# ")))
        return True

    def _read_row(self, line: str, following: str) -> bool:
        if _TABLE_RULE.match(line):
            return True
        found = _ROW.match(line)
        if found is None:
            return False
        cells = [_inline(cell.strip()) for cell in found[1].split("|")]
        if _TABLE_RULE.match(following):
            self._new_block()
            self._columns = cells
            return True
        if self._columns is None:  # A table whose head was cut off.
            self._new_block()
            self._columns = []
        names = [*self._columns, *[""] * len(cells)]
        named = zip(names, cells, strict=False)
        self._add("; ".join(f"{n}: {c}" if n else c for n, c in named if c), Form.ROW)
        return True

    def _read_item_or_prose(self, line: str) -> None:
        if found := _ITEM.match(line):
            self._end_prose()
            self._end_item()
            if not self._in_list:
                self._block += 1
                self._in_list = True
            self._item = [found[1]]
        elif self._item and line.startswith((" ", "\t")):
            self._item.append(line.strip())
        else:
            self._end_item()
            self._add_prose(line)

    def _add_prose(self, line: str) -> None:
        self._in_list = False
        self._columns = None
        self._prose.append(line)

    def _new_block(self) -> None:
        self._end_prose()
        self._end_item()
        self._in_list = False
        self._columns = None
        self._block += 1

    def _end_prose(self) -> None:
        if not self._prose:
            return
        self._block += 1
        found = _merged(sentences(_inline("\n".join(self._prose))))
        self._prose = []
        for sentence in found:
            self._add(sentence, Form.SENTENCE)
        self._lead = found[-1] if found and found[-1].endswith(":") else ""

    def _end_item(self) -> None:
        if not self._item:
            return
        text = " ".join(_inline(" ".join(self._item)).split())
        self._item = []
        parts = _merged(sentences(text)) if len(text) > _MAX_ITEM_CHARS else [text]
        for number, part in enumerate(parts):
            self._add(part, Form.SENTENCE if number else Form.ITEM)

    def _add(self, text: str, form: Form) -> None:
        if any(char.isalnum() for char in text):
            headings = " > ".join(text for _, text in self._headings)
            lead = self._lead if form is not Form.SENTENCE or self._in_list else ""
            self.found.append(Piece(text, form, headings, lead, self._block))


def _is_underline(line: str) -> bool:
    """Tell whether a line makes a heading of the one above it."""
    stripped = line.strip()
    return len(stripped) > 2 and (not stripped.strip("=") or not stripped.strip("-"))


def _merged(parts: Sequence[str]) -> list[str]:
    """Join a heading that runs into its paragraph with the sentence it heads."""
    merged: list[str] = []
    for part in parts:
        if merged and _RUN_IN.match(merged[-1]):
            merged[-1] = f"{merged[-1]} {part}"
        else:
            merged.append(part)
    return merged


_IMAGE = re.compile(r"!\[[^\]]{0,200}\]\([^)]{0,500}\)")
_LINK = re.compile(
    r"\[([^\]\n]{1,300})\]\((?:[^()\s]|\([^()\s]*\)){0,500}(?:\s+\"[^\"]{0,200}\")?\)"
)
_TAG = re.compile(
    r"<!--.{0,400}?-->|</?(?:a|abbr|b|br|center|code|dd|details|div|dl|dt|em|h[1-6]|hr|i|img|kbd|li"
    r"|ol|p|picture|pre|q|s|section|small|source|span|strong|sub|summary|sup|table|tbody|td|th"
    r"|thead"
    r"|tr|u|ul)(?:\s[^<>]{0,300})?/?>",
    re.DOTALL | re.IGNORECASE,
)


def _inline(text: str) -> str:
    """Return a line's text without images, link targets and HTML tags."""
    if "[" in text:
        text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    return _TAG.sub("", text) if "<" in text else text
