"""What tools returned, cut into the units an answer is made of."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from treadle.agents.embedded._conversation import Result
from treadle.agents.embedded._markdown import Form, pieces


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
        passage: the number of its passage, in reading order from 1.
        block: the number of its paragraph, list, table or code in the passage.
        position: its own number, in reading order from 0.
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
_LOCATOR = re.compile(r" \((?:lines?|pages?) [\d, \u2013-]+\)$")
_NOTICE = re.compile(
    r"^\((?:\d+ more results? (?:was|were) left out|cut here: \d+ of \d+ characters)\b"
)
_NOTHING = re.compile(
    r"^\W*(?:nothing|no\b|none\b|not found|0 results|(?:could|did) not find|i found no"
    r"|there (?:is|are)"
    r" no|sorry)|\b(?:matches nothing|has no (?:page|article|entry|results?)|no results?)\b",
    re.IGNORECASE,
)
_MAX_NOTICE_CHARS = 300


def units_of(results: Iterable[Result]) -> list[Unit]:
    """Return the units of all results that did not fail, in reading order, each once."""
    units: list[Unit] = []
    seen: set[tuple[str, str]] = set()
    number = 0
    for result in results:
        for passage in () if result.failed else _passages(result):
            number += 1
            for piece in pieces(passage.lines):
                key = (passage.label, piece.text)
                if key in seen:
                    continue
                seen.add(key)
                units.append(
                    Unit(
                        text=piece.text,
                        form=piece.form,
                        label=passage.label,
                        tool=result.tool,
                        title=passage.title,
                        headings=piece.headings,
                        lead=piece.lead,
                        passage=number,
                        block=piece.block,
                        position=len(units),
                    )
                )
    return units


def _passages(result: Result) -> Iterator[_Passage]:
    """Yield the passages of a result, cut at the lines that introduce their sources.

    Where the tool says which sources it brought, only their own lines count, so that a text
    cannot pass itself off as another source.
    """
    passage = _Passage("", "")
    for line in _plain(result.text).split("\n"):
        head = _HEAD.match(line)
        if head and (result.heads is None or line in result.heads):
            if not _is_empty(passage):
                yield passage
            passage = _Passage(head[1], _LOCATOR.sub("", head[2]))
        elif not _NOTICE.match(line):
            passage.lines.append(line)
    if not _is_empty(passage):
        yield passage


def _is_empty(passage: _Passage) -> bool:
    """Tell whether a passage says nothing, or only that nothing was found."""
    if passage.label:
        return False
    text = "\n".join(passage.lines).strip()
    return not text or (len(text) < _MAX_NOTICE_CHARS and bool(_NOTHING.search(text)))


def _plain(text: str) -> str:
    """Return JSON as lines of text; other text as it is."""
    if not text.lstrip().startswith(("{", "[{", '["', "[\n")):
        return text
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "\n\n".join(_said_in_json(data, 0))


_MAX_DEPTH = 6
_MAX_SHORT_CHARS = 60


def _said_in_json(data: object, depth: int) -> Iterator[str]:
    """Yield the texts in JSON data; the short values of an object together, with their names."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list) and depth < _MAX_DEPTH:
        for item in data:
            yield from _said_in_json(item, depth + 1)
    elif isinstance(data, dict) and depth < _MAX_DEPTH:
        short = [f"{name}: {value}" for name, value in data.items() if _is_short(value)]
        if short:
            yield "- " + "; ".join(short)
        for value in data.values():
            if not _is_short(value):
                yield from _said_in_json(value, depth + 1)


def _is_short(value: object) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, str) and len(value) < _MAX_SHORT_CHARS
    )
