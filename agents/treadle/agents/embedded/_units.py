"""Passages of text, cut into the units an answer is made of."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from treadle.agents.embedded._conversation import Result
from treadle.agents.embedded._sentences import sentences

MAX_UNIT_CHARS = 500


class Form(Enum):
    """What a unit is in the text it was taken from."""

    SENTENCE = 1
    ITEM = 2
    ROW = 3
    CODE = 4


@dataclass(frozen=True)
class Unit:
    """The smallest piece of a text that an answer quotes.

    Attributes:
        text: what is quoted.
        form: what it is.
        label: its source's label, without brackets; empty when the source has none.
        tool: the tool that brought it.
        title: its source's title.
        headings: the headings above it.
        lead: the sentence that introduces its list, table or code.
        passage: the number of its passage, in reading order.
        block: the number of its paragraph, list, table or code block.
        position: its own number, in reading order.
    """

    text: str
    form: Form
    label: str
    tool: str
    title: str
    headings: str
    lead: str
    passage: int
    block: int
    position: int


@dataclass
class _Passage:
    label: str
    title: str
    lines: list[str] = field(default_factory=list)


_HEAD = re.compile(r"^\[\^([a-z0-9]{6})\] (.*)$")
_NOTICE = re.compile(
    r"^\((?:\d+ more results? (?:was|were) left out|cut here: \d+ of \d+ characters).*\)$"
)


def units_of(results: Iterable[Result]) -> list[Unit]:
    """Return the units of all results that did not fail, in reading order."""
    units: list[Unit] = []
    passage_number = 0
    seen: set[tuple[str, str]] = set()
    for result in results:
        if result.failed:
            continue
        for passage in _passages(result):
            passage_number += 1
            for unit in _units(passage, result.tool, passage_number, len(units)):
                key = (unit.label, unit.text)
                if key not in seen:
                    seen.add(key)
                    units.append(unit)
    return units


def _passages(result: Result) -> Iterator[_Passage]:
    """Cut a result at the lines that introduce its sources.

    Where the tool says which sources it brought, only their own lines count, so that a text
    cannot pass itself off as another source.
    """
    passage = _Passage("", "")
    for line in _plain(result.text).split("\n"):
        if _NOTICE.match(line):
            continue
        head = _HEAD.match(line)
        if head and (result.heads is None or line in result.heads):
            yield passage
            passage = _Passage(head[1], head[2])
        else:
            passage.lines.append(line)
    yield passage


def _plain(text: str) -> str:
    """Return JSON as lines of text; other text as it is."""
    if not text.lstrip().startswith(("{", "[{", '["', "[\n")):
        return text
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "\n\n".join(_said_in_json(data, 0))


def _said_in_json(data: object, depth: int) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif depth > 6:
        return
    elif isinstance(data, list):
        for item in data:
            yield from _said_in_json(item, depth + 1)
    elif isinstance(data, dict):
        short = [f"{k}: {v}" for k, v in data.items() if _is_short(v)]
        if short:
            yield "- " + "; ".join(short)
        for value in data.values():
            if not _is_short(value):
                yield from _said_in_json(value, depth + 1)


def _is_short(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) < 60)


_MAX_MARKUP_CHARS = 2_000
"""A longer line is read as prose: what is not markup must not cost time to find out."""

_FENCE = re.compile(r"^\s{0,8}(`{3,}|~{3,})")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$|^\s{0,3}(={2,6})\s*([^=].*?)\s*=+\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)]|[a-z]\))\s+(.*)$")
_ROW = re.compile(r"^\s*\|(.+)\|\s*$")
_RULE = re.compile(r"^\s*(?:[-=*_]\s*){3,}$|^\s*\|?(?:\s*:?-+:?\s*\|)+\s*:?-*:?\s*$")


class _Reader:
    """Reads a passage line by line."""

    def __init__(self, passage: _Passage, tool: str, number: int, first: int) -> None:
        self.passage, self.tool, self.number = passage, tool, number
        self.units: list[Unit] = []
        self.first = first
        self.block = 0
        self.headings: list[tuple[int, str]] = []
        self.lead = ""
        self.prose: list[str] = []
        self.item: list[str] = []
        self.columns: list[str] | None = None

    def add(self, text: str, form: Form) -> None:
        if any(char.isalnum() for char in text):
            self.units.append(
                Unit(
                    text,
                    form,
                    self.passage.label,
                    self.tool,
                    self.passage.title,
                    " > ".join(text for _, text in self.headings),
                    "" if form is Form.SENTENCE else self.lead,
                    self.number,
                    self.block,
                    self.first + len(self.units),
                )
            )

    def end_prose(self) -> None:
        if self.prose:
            self.block += 1
            found = sentences(_inline("\n".join(self.prose)))
            for sentence in found:
                self.add(sentence, Form.SENTENCE)
            self.lead = found[-1] if found and found[-1].endswith(":") else ""
            self.prose = []

    def end_item(self) -> None:
        if self.item:
            self.add(" ".join(_inline(" ".join(self.item)).split()), Form.ITEM)
            self.item = []

    def end_all(self) -> None:
        self.end_prose()
        self.end_item()
        self.columns = None

    def heading(self, level: int, text: str) -> None:
        self.end_all()
        self.lead = ""
        self.headings = [(n, t) for n, t in self.headings if n < level]
        self.headings.append((level, _inline(text)))

    def row(self, cells: list[str]) -> None:
        self.end_prose()
        self.end_item()
        if self.columns is None:
            self.block += 1
            self.columns = cells
            return
        named = [
            f"{name}: {cell}" if name else cell
            for name, cell in zip(self.columns, cells, strict=False)
            if cell
        ]
        self.add("; ".join(named), Form.ROW)


def _units(passage: _Passage, tool: str, number: int, first: int) -> list[Unit]:
    reader = _Reader(passage, tool, number, first)
    fence, code = "", list[str]()
    for line in passage.lines:
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and line.strip() == opened[1]:
                reader.add("\n".join(code), Form.CODE)
                fence, code = "", []
            else:
                code.append(line)
        elif opened:
            reader.end_all()
            reader.block += 1
            fence = opened[1]
        else:
            _read_line(reader, line)
    if code:
        reader.add("\n".join(code), Form.CODE)
    reader.end_all()
    return reader.units


def _read_line(reader: _Reader, line: str) -> None:
    if not line.strip():
        if not reader.item:
            reader.end_all()
        else:
            reader.end_item()
        return
    if len(line) > _MAX_MARKUP_CHARS:
        reader.prose.append(line)
        return
    heading = _HEADING.match(line)
    row = _ROW.match(line)
    item = _ITEM.match(line)
    if heading:
        level = len(heading[1] or heading[3])
        reader.heading(level, heading[2] or heading[4] or "")
    elif _RULE.match(line):
        if reader.prose and len(reader.prose) == 1 and line.strip()[0] in "=-" and "|" not in line:
            text, reader.prose = reader.prose[0], []
            reader.heading(1 if line.strip()[0] == "=" else 2, text)
    elif row:
        reader.row([_inline(cell.strip()) for cell in row[1].split("|")])
    elif item:
        reader.end_prose()
        if not reader.item and (not reader.units or reader.units[-1].form is not Form.ITEM):
            reader.block += 1
        reader.end_item()
        reader.item = [item[1]]
    elif reader.item and line.startswith((" ", "\t")):
        reader.item.append(line.strip())
    else:
        reader.end_item()
        reader.columns = None
        reader.prose.append(line)


_IMAGE = re.compile(r"!\[[^\]]{0,200}\]\([^)]{0,500}\)")
_LINK = re.compile(
    r"\[([^\]\n]{1,300})\]\((?:[^()\s]|\([^()\s]*\)){0,500}(?:\s+\"[^\"]{0,200}\")?\)"
)
_TAG = re.compile(r"<!--.{0,400}?-->|</?[a-zA-Z][^<>]{0,200}>", re.DOTALL)


def _inline(text: str) -> str:
    """Return a line's text without images, link targets and HTML tags."""
    if "[" in text:
        text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    return _TAG.sub("", text) if "<" in text else text
