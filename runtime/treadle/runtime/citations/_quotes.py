"""The quotations in an answer, and whether they are what a source says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from treadle.core.sentences import Span
from treadle.core.sources import LABEL, Unverified
from treadle.runtime.citations._evidence import Evidence
from treadle.runtime.citations._findings import Cover, Edit, Finding
from treadle.runtime.citations._words import Words

NOT_FOUND = "[not a quotation found in the sources]"
MIN_WORDS = 3
"""Shorter texts in quotation marks are names, titles and terms."""

_INSIDE = r"(?:[^{0}\n]|\n(?!\s*\n)){{1,4000}}?"
_PAIRS = [
    r"\u201c(" + _INSIDE.format("\u201c\u201d") + r")\u201d",
    r"\u201e(" + _INSIDE.format("\u201e\u201c\u201d") + r")[\u201c\u201d]",
    r"\u00ab(" + _INSIDE.format("\u00ab\u00bb") + r")\u00bb",
    r"\u00bb(" + _INSIDE.format("\u00ab\u00bb") + r")\u00ab",
    r"\u2039(" + _INSIDE.format("\u2039\u203a") + r")\u203a",
    r"\u300c(" + _INSIDE.format("\u300c\u300d") + r")\u300d",
    r"(?<![\w\"])\"(?=\S)(" + _INSIDE.format('"') + r")(?<=\S)\"(?![\w\"])",
    # A single mark inside a word is an apostrophe.
    r"(?<!\w)\u2018(?=\S)((?:[^\u2018\u2019\n]|\n(?!\s*\n)|(?<=\w)\u2019(?=\w)){1,1000})(?<=\S)\u2019(?!\w)",
    r"(?<!\w)'(?=\S)((?:[^'\n]|\n(?!\s*\n)|(?<=\w)'(?=\w)){1,1000})(?<=\S)'(?!\w)",
]
_MARKS = [re.compile(pattern) for pattern in _PAIRS]
_BLOCK = re.compile(r"(?:^[ \t]{0,3}>[^\n]*(?:\n|$))+", re.MULTILINE)
_BLOCK_HEAD = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)+", re.MULTILINE)
_ATTRIBUTION = re.compile(r"^\s*(?:\u2014|\u2013|--?)\s.*$", re.MULTILINE)
# What an editor may leave out or put in: "[…]", "...", "[the]".
_GAP = re.compile(r"\[[^\[\]\n]{0,40}\]|\(?(?:\u2026|\.{3,}|\. \. \.)\)?")


@dataclass(frozen=True, slots=True)
class Quotation:
    """A text in quotation marks, or set off as a block.

    Attributes:
        text: the text alone.
        span: where it stands, marks included.
        is_block: whether it is set off as a block.
    """

    text: str
    span: Span
    is_block: bool = False


def quotations(text: str, code: list[Span]) -> Iterator[Quotation]:
    """Yield the quotations of a text, outermost ones only, but none in code."""
    taken = Cover(len(text), code)
    for match in _BLOCK.finditer(text):
        if taken.touches(match.span()):
            continue
        taken.add(match.span())
        yield Quotation(_ATTRIBUTION.sub("", _BLOCK_HEAD.sub("", match[0])), match.span(), True)
    found = [match for marks in _MARKS for match in marks.finditer(text)]
    for match in sorted(found, key=lambda match: (match.start(), -match.end())):
        if not taken.touches(match.span()):
            taken.add(match.span())
            yield Quotation(match[1], match.span())


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the quotations of an answer.

    Attributes:
        findings: those that nothing on the thread says in these words.
        proven: where those stand that a tool or the user says.
    """

    findings: list[Finding]
    proven: list[Span]


def judge_quotations(text: str, code: list[Span], evidence: Evidence) -> Judged:
    """Compare the quotations of an answer with the evidence."""
    judged = Judged([], [])
    told: list[Words] | None = None
    own: list[Words] = []
    for quotation in quotations(text, code):
        if len(Words.of(_GAP.sub(" ", LABEL.sub(" ", quotation.text))).words) < MIN_WORDS:
            continue
        if told is None:
            told = [Words.of(part) for part in evidence.texts()]
            own = [Words.of(part) for part in _own_words(evidence)]
        if any(says(words, quotation.text) for words in told):
            judged.proven.append(quotation.span)
        elif not any(says(words, quotation.text) for words in own):
            item = Unverified("quote", quotation.text.strip(), "no source says it in these words")
            judged.findings.append(Finding(item, tuple(_edits(text, quotation))))
    return judged


def says(words: Words, quoted: str) -> bool:
    """Tell whether a text says what is quoted, its gaps aside, in this order."""
    at = 0
    for part in _GAP.split(LABEL.sub("", quoted)):
        wanted = Words.of(part)
        if not wanted.words:
            continue
        at = words.find(wanted, at)
        if at < 0:
            return False
        at += len(wanted.words)
    return True


def _own_words(evidence: Evidence) -> Iterator[str]:
    """Yield what the agent said before, without what it then quoted: that may have been false."""
    for text in evidence.said:
        parts, at = [], 0
        for quotation in sorted(quotations(text, []), key=lambda one: one.span):
            if len(quotation.text.split()) >= MIN_WORDS:
                parts.append(text[at : quotation.span[0]])
                at = quotation.span[1]
        yield " \u2026 ".join((*parts, text[at:]))


def _edits(text: str, quotation: Quotation) -> Iterator[Edit]:
    start, end = quotation.span
    if not quotation.is_block:
        yield Edit(start, start + 1, "")
        yield Edit(end - 1, end, f" {NOT_FOUND}")
        return
    for head in _BLOCK_HEAD.finditer(text, start, end):
        yield Edit(head.start(), head.end(), "")
    body = text[start:end].rstrip()
    yield Edit(start + len(body), start + len(body), f" {NOT_FOUND}")
