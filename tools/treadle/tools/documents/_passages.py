"""Cutting a document into passages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from treadle.tools.documents.document import Block, Document

LONGEST = 1_200
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|(?<=[\u3002\uff01\uff1f])")


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage cut from a document.

    Attributes:
        text: at most ``LONGEST`` characters.
        headings: the headings it stands under, outermost first.
        first: the line or page it begins on.
        last: the line or page it ends on.
    """

    text: str
    headings: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a passage that is not cut; ``joint`` is what joins it to the piece before."""

    text: str
    first: int
    last: int
    joint: str = "\n\n"


def cut(document: Document) -> list[Cut]:
    """Cut a document into passages.

    A passage never goes over a heading or, where places are pages, over a page's end. A section
    that is too long for one passage is cut between its blocks into passages of about the same
    length; a block that is too long by itself is cut between its lines, sentences or words.
    """
    cuts = []
    for headings, blocks in _sections(document):
        pieces = [piece for block in blocks for piece in _pieces(block)]
        for group in _packed(pieces):
            text = group[0].text + "".join(piece.joint + piece.text for piece in group[1:])
            cuts.append(Cut(text, headings, group[0].first, group[-1].last))
    return cuts


def _sections(document: Document) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Group the blocks below the same heading, and on the same page."""
    path: list[Block] = []
    blocks: list[Block] = []
    for block in document.blocks:
        turns_page = document.unit == "page" and blocks and block.first != blocks[-1].first
        if (block.level or turns_page) and blocks:
            yield _headings(document, path), blocks
            blocks = []
        if block.level:
            path = [outer for outer in path if outer.level < block.level] + [block]
        else:
            blocks.append(block)
    if blocks:
        yield _headings(document, path), blocks


def _headings(document: Document, path: Sequence[Block]) -> tuple[str, ...]:
    titles = [block.text for block in path]
    if document.title and not (path and path[0].level == 1):
        titles.insert(0, document.title)
    return tuple(titles)


def _pieces(block: Block) -> Iterator[_Piece]:
    if len(block.text) <= LONGEST:
        yield _Piece(block.text, block.first, block.last)
        return
    joint = "\n\n"
    lines = block.text.split("\n")
    # A block of one page, or one whose lines were run together, has fewer places than lines.
    counted = block.last - block.first + 1 == len(lines)
    for offset, line in enumerate(lines):
        first = block.first + offset if counted else block.first
        last = first if counted else block.last
        for part in _parts(line):
            yield _Piece(part, first, last, joint)
            joint = " "
        joint = "\n"


def _parts(line: str) -> Iterator[str]:
    """Cut a line that is too long between its sentences, or else between words or anywhere."""
    if len(line) <= LONGEST:
        yield line
        return
    for sentence in _SENTENCE_END.split(line):
        rest = sentence
        while len(rest) > LONGEST:
            at = rest.rfind(" ", LONGEST // 2, LONGEST)
            at = at if at > 0 else LONGEST
            yield rest[:at]
            rest = rest[at:].lstrip()
        if rest:
            yield rest


def _packed(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    """Group pieces into as few passages as will do, all of about the same length."""
    pieces = list(pieces)
    total = sum(len(piece.text) + len(piece.joint) for piece in pieces)
    fewest = len(_filled(pieces, LONGEST))
    return _filled(pieces, total / max(1, fewest))


def _filled(pieces: Iterable[_Piece], enough: float) -> list[list[_Piece]]:
    """Group pieces in order, going on to the next group when one has enough or is full."""
    groups: list[list[_Piece]] = []
    size = 0
    for piece in pieces:
        longer = size + len(piece.joint) + len(piece.text)
        if not groups or longer > LONGEST or size >= enough:
            groups.append([])
            longer = len(piece.text)
        groups[-1].append(piece)
        size = longer
    return groups
