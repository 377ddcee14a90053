"""What in a tool's text each sentence of an answer rests on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from treadle.core.sentences import Span, sentences
from treadle.core.sources import LABEL, Support
from treadle.runtime.citations._evidence import Evidence, ToolText
from treadle.runtime.citations._words import Words

_SPACED_LABEL = re.compile(rf"\s*{LABEL.pattern}")
_THOUSANDS = re.compile(r"(?<=\d)[.,'](?=\d{3}(?!\d))")
_MAX_CLAIM_CHARS = 1_000
_MAX_SENTENCES = 4_000
_LITTLE = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to by for from with and or but as is was are were be been it its "
        "this that ",
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, with the labels it carries."""

    text: str
    labels: tuple[str, ...]


def claims(text: str) -> Iterator[Claim]:
    """Yield the sentences of an answer that carry a label, inside or right behind."""
    for start, end in sentences(text, with_labels=True):
        labels = tuple(dict.fromkeys(LABEL.findall(text, start, end)))
        if labels:
            said = " ".join(_SPACED_LABEL.sub("", text[start:end]).split())
            yield Claim(said[:_MAX_CLAIM_CHARS], labels)


def supports(text: str, evidence: Evidence) -> dict[str, list[Support]]:
    """Return what the claims of an answer rest on, by label."""
    found: dict[str, list[Support]] = {}
    parsed: dict[tuple[str, str], list[_Part]] = {}
    for claim in claims(text):
        for label in claim.labels:
            if support := _best(claim.text, label, evidence, parsed):
                found.setdefault(label, []).append(support)
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    span: Span
    words: frozenset[str]


def _best(
    claim: str, label: str, evidence: Evidence, parsed: dict[tuple[str, str], list[_Part]]
) -> Support | None:
    """Return the sentence, or two that follow each other, that share most with a claim."""
    wanted = _telling(claim)
    best: tuple[float, ToolText, Span] | None = None
    for tool in evidence.tools:
        if all(source.label != label for source in tool.sources):
            continue
        key = (tool.call_id, label)
        if key not in parsed:
            parsed[key] = list(_parts(tool, label))
        for rating, span in _rated(parsed[key], wanted):
            if best is None or rating > best[0]:
                best = rating, tool, span
    if best is None:
        return None
    _, tool, (start, end) = best
    return Support(claim, tool.call_id, start, end, tool.text[start:end])


def _parts(tool: ToolText, label: str) -> Iterator[_Part]:
    first, last = tool.passage(label)
    for count, (start, end) in enumerate(sentences(tool.text[first:last])):
        if count == _MAX_SENTENCES:
            return
        span = (first + start, first + end)
        yield _Part(span, _telling(tool.text[slice(*span)]))


def _rated(parts: list[_Part], wanted: frozenset[str]) -> Iterator[tuple[float, Span]]:
    for place, part in enumerate(parts):
        alone = _likeness(part.words, wanted)
        yield alone, part.span
        if place + 1 < len(parts):
            after = parts[place + 1]
            # The longer span must bear out more to be worth reading.
            both = _likeness(part.words | after.words, wanted)
            yield both - 0.1, (part.span[0], after.span[1])


def _likeness(words: frozenset[str], wanted: frozenset[str]) -> float:
    shared = sum(3 if word[0].isdigit() else 1 for word in words & wanted)
    total = sum(3 if word[0].isdigit() else 1 for word in wanted) or 1
    return shared / total - len(words - wanted) / 1_000


def _telling(text: str) -> frozenset[str]:
    words = Words.of(LABEL.sub(" ", text)).words
    return frozenset(_THOUSANDS.sub("", word) for word in words if word not in _LITTLE)
