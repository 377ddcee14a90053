"""Checking an answer against what it rests on, and marking what is not borne out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from treadle.agents import CitationMode
from treadle.core.sentences import Span
from treadle.core.sources import LABEL, Citation, Source, Unverified
from treadle.runtime.citations._evidence import Evidence
from treadle.runtime.citations._figures import false_figures
from treadle.runtime.citations._findings import Finding, edited
from treadle.runtime.citations._quotes import judge_quotations
from treadle.runtime.citations._support import supports
from treadle.runtime.citations._urls import spans as address_spans
from treadle.runtime.citations._urls import unknown_addresses

UNKNOWN_SOURCE = "[unknown source]"
_CODE = re.compile(
    r"^[ \t]{0,3}(?P<fence>`{3,}|~{3,})[\s\S]*?(?:^[ \t]{0,3}(?P=fence)|\Z)|`[^`\n]+`",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer as it may be delivered.

    Attributes:
        text: the answer, with its sources numbered and with marks where something failed.
        citations: its sources, each with what the sentences that cite it rest on.
        unverified: what failed.
    """

    text: str
    citations: tuple[Citation, ...]
    unverified: tuple[Unverified, ...] = ()


def check(answer: str, evidence: Evidence, mode: CitationMode = "mark") -> Checked:
    """Check an answer against the evidence.

    An answer is checked when a tool returned sources for it in its turn, or when it cites one that
    a tool returned before. Of another only the labels are resolved.

    Args:
        answer: as the model wrote it.
        evidence: what tools returned and what was said.
        mode: ``mark`` marks in the text what fails; ``report`` only lists it; ``off`` checks only
            the labels.
    """
    sources = evidence.sources
    labels = LABEL.findall(answer)
    is_researched = evidence.is_researched or any(label in sources for label in labels)
    findings: list[Finding] = []
    if mode != "off" and is_researched:
        findings = _findings(answer, evidence)
    marked = answer
    if mode == "mark":
        marked = edited(answer, (edit for finding in findings for edit in finding.edits))
    text, citations = cite(marked, sources)
    if citations and mode != "off":
        found = supports(answer, evidence)
        citations = tuple(
            Citation(one.number, one.source, tuple(found.get(one.source.label, ())))
            for one in citations
        )
    unknown = [
        Unverified("source", f"[^{label}]", "no tool returned this source")
        for label in dict.fromkeys(labels)
        if label not in sources
    ]
    return Checked(text, citations, (*unknown, *(finding.item for finding in findings)))


def cite(text: str, sources: Mapping[str, Source]) -> tuple[str, tuple[Citation, ...]]:
    """Return the text with its labels numbered, and the citations they stand for.

    Labels become numbers in the order of their first use. A label that no tool returned on the
    thread becomes ``[unknown source]``: it cannot be checked.
    """
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    end, last = 0, ""
    for match in LABEL.finditer(text):
        label, between = match.group(1), text[end : match.start()]
        end = match.end()
        known = label in sources
        mark = f"[{numbers.setdefault(label, len(numbers) + 1)}]" if known else UNKNOWN_SOURCE
        # A model often labels the same source twice in a row.
        is_repeated = known and mark == last and not between.strip()
        pieces += (between,) if is_repeated else (between, mark)
        last = mark
    pieces.append(text[end:])
    citations = tuple(Citation(number, sources[label]) for label, number in numbers.items())
    return "".join(pieces), citations


def _findings(answer: str, evidence: Evidence) -> list[Finding]:
    """Return what fails in an answer, in the order of the text."""
    code: list[Span] = [match.span() for match in _CODE.finditer(answer)]
    quotes = judge_quotations(answer, code, evidence)
    checked = [*code, *address_spans(answer), *quotes.proven]
    found = [
        *unknown_addresses(answer, evidence),
        *quotes.findings,
        *false_figures(answer, checked, evidence),
    ]
    return sorted(found, key=lambda finding: finding.edits[0].start)
