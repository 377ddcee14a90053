"""Reading: how well each unit of a text answers a question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from treadle.agents.embedded._fit import fits, is_definition
from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._question import Question
from treadle.agents.embedded._terms import Term
from treadle.agents.embedded._units import Unit
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import (
    IRREGULAR,
    STOPWORDS,
    SYNONYMS,
    content_stems,
    placed_words,
    stem,
    words,
)

_DEFINED = frozenset({Wants.DEFINITION, Wants.COMPARISON, Wants.OVERVIEW})
_HERE = 1.0
_BY_SYNONYM = 0.7
_IN_HEADING = 0.6
_IN_BLOCK = 0.4
_USUAL_WORDS = 22


@dataclass(frozen=True)
class Scored:
    """A unit and how well it answers.

    Attributes:
        unit: the unit.
        score: how well it answers, from 0 to about 2; for ranking.
        coverage: the share of the question it speaks to, from 0 to 1, headings counted in part.
        covered: the positions, among the question's terms, of those in the unit's own text.
        spoken_to: those, and the ones that its headings name.
        is_typed: whether it holds the sort of thing that is asked for.
    """

    unit: Unit
    score: float
    coverage: float
    covered: frozenset[int]
    spoken_to: frozenset[int]
    is_typed: bool


@dataclass(frozen=True)
class Reading:
    """All units of a text, best first, and what the text never mentions.

    Attributes:
        best: the units that speak to the question at all, best first.
        missing: the question's own terms that occur nowhere in the text.
    """

    best: tuple[Scored, ...]
    missing: tuple[Term, ...]


_ADDRESS = re.compile(r"\bhttps?://[^\s<>)\]]+")


class _Matcher:
    """Finds the terms of a question in texts; looks at each word only as closely as it must."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._exact: dict[str, int] = {}
        self._similar: dict[str, list[int]] = {}
        for index, term in enumerate(terms):
            self._exact.setdefault(term.stem, index)
            if not term.is_name:
                for other in sorted(SYNONYMS.get(term.stem, ())):
                    self._similar.setdefault(other, []).append(index)
        self._begins = {one[:2] for one in (*self._exact, *self._similar)}

    def places(self, text: str) -> tuple[dict[int, list[int]], dict[int, float], int]:
        """Return each term's places, how well it is met, and how many words the text has."""
        places: dict[int, list[int]] = {}
        met: dict[int, float] = {}
        count = 0
        text = _ADDRESS.sub(" ", text)
        for count, (word, _) in enumerate(placed_words(text), start=1):
            # Forms of a word share their beginning, so most words need no stemming.
            if word.isascii() and word[:2] not in self._begins and word not in IRREGULAR:
                continue
            one = stem(word)
            if one in self._exact:
                index = self._exact[one]
                places.setdefault(index, []).append(count)
                met[index] = _HERE
            for index in self._similar.get(one, ()):
                places.setdefault(index, []).append(count)
                met.setdefault(index, _BY_SYNONYM)
        return places, met, count


def read(units: Sequence[Unit], question: Question) -> Reading:
    """Return how well each unit answers the question."""
    terms = question.terms
    if not terms or not units:
        return Reading((), question.own_terms)
    page = _Page(units, terms)
    asked = frozenset(words(question.text))
    own = frozenset(i for i, term in enumerate(terms) if not term.is_carried and term.is_strong)
    scored: list[Scored] = []
    for unit, (places, met, count) in zip(units, page.found, strict=True):
        levels = page.levels(unit, met)
        if not any(levels):
            continue
        coverage = page.share(levels)
        if own and not any(levels[index] for index in own):
            coverage *= 0.4  # It only speaks of what was carried over.
        is_typed = fits(question, unit, asked, page.opens(unit))
        score = page.relevance(unit, places, met, count) + 0.5 * coverage
        score += _bonus(question, unit, places, count, is_typed)
        if unit.tool == units[0].tool:
            score += 0.15  # The tools are called best first.
        spoken_to = frozenset(i for i, level in enumerate(levels) if level >= _IN_HEADING)
        scored.append(Scored(unit, score, coverage, frozenset(met), spoken_to, is_typed))
    scored.sort(key=lambda one: (-one.score, one.unit.position))
    return Reading(tuple(scored), page.missing())


_Surroundings = tuple[str, str, str]


class _Page:
    """All units side by side: which terms each holds, and how rare each term is among them."""

    def __init__(self, units: Sequence[Unit], terms: Sequence[Term]) -> None:
        matcher = _Matcher(terms)
        self.terms = terms
        self.found = [matcher.places(unit.text) for unit in units]
        self._around: dict[_Surroundings, dict[int, float]] = {}
        self._openers: dict[tuple[int, str], int] = {}
        self._blocks: dict[tuple[int, int], set[int]] = {}
        frequency = [0] * len(terms)
        for unit, (_, met, _) in zip(units, self.found, strict=True):
            for index in met:
                frequency[index] += 1
            self._blocks.setdefault((unit.passage, unit.block), set()).update(met)
            self._openers.setdefault((unit.passage, unit.headings), unit.position)
            key = _surroundings(unit)
            if key not in self._around:
                self._around[key] = matcher.places("\n".join(key))[1]
        in_headings = {index for met in self._around.values() for index in met}
        self._mentioned = [
            bool(count) or index in in_headings for index, count in enumerate(frequency)
        ]
        self._rarity = [_rarity(count, len(units)) for count in frequency]
        self._weights = [
            _weight(term, is_mentioned)
            for term, is_mentioned in zip(terms, self._mentioned, strict=True)
        ]

    def levels(self, unit: Unit, met: dict[int, float]) -> list[float]:
        """Return how well a unit speaks to each term, by itself or by where it stands."""
        heading = self._around[_surroundings(unit)]
        block = self._blocks[(unit.passage, unit.block)]
        return [
            max(
                met.get(index, 0.0),
                _IN_HEADING * heading.get(index, 0.0),
                _IN_BLOCK if index in block else 0.0,
            )
            for index in range(len(self.terms))
        ]

    def share(self, levels: Sequence[float]) -> float:
        """Return the share of the question that the levels make up."""
        whole = sum(self._weights)
        return sum(w * level for w, level in zip(self._weights, levels, strict=True)) / whole

    def opens(self, unit: Unit) -> bool:
        """Tell whether a unit is the first below a heading or title that names the subject."""
        if self._openers[(unit.passage, unit.headings)] != unit.position:
            return False
        heading = (unit.headings or unit.title).rpartition(" > ")[2]
        named = set(content_stems(heading))
        subject = {term.stem for term in self.terms if term.is_strong}
        return subject <= named and len(named) <= len(subject) + 1

    def missing(self) -> tuple[Term, ...]:
        """Return the question's own terms that nothing mentions."""
        return tuple(
            term
            for term, is_mentioned in zip(self.terms, self._mentioned, strict=True)
            if not is_mentioned and not term.is_carried
        )

    def relevance(
        self, unit: Unit, places: dict[int, list[int]], met: dict[int, float], count: int
    ) -> float:
        """Return BM25 with short saturation, as a share of what a unit with all terms has."""
        heading = self._around[_surroundings(unit)]
        length = 0.6 + 0.4 * count / _USUAL_WORDS
        total = ideal = 0.0
        for index, term in enumerate(self.terms):
            value = term.weight * self._rarity[index]
            ideal += value
            own = 0.0
            if index in met:
                often = len(places[index])
                own = value * met[index] * often * 2.0 / (often + length)
            by_heading = value * (0.9 if term.is_carried or term.is_name else 0.4)
            total += max(own, by_heading if index in heading else 0.0)
        return total / ideal if ideal else 0.0


def _surroundings(unit: Unit) -> _Surroundings:
    return (unit.title, unit.headings, unit.lead)


def _rarity(count: int, total: int) -> float:
    return max(0.3, log(1 + (total - count + 0.5) / (count + 0.5)))


def _weight(term: Term, is_mentioned: bool) -> float:
    """Return how much of the question a term makes up; what nothing mentions weighs more."""
    weight = term.weight * (1.4 if term.is_name and not term.is_carried else 1.0)
    return weight if is_mentioned or not term.is_strong else weight * 1.4


def _bonus(
    question: Question, unit: Unit, places: dict[int, list[int]], count: int, is_typed: bool
) -> float:
    bonus = 0.1 / unit.passage
    if is_typed and places:
        bonus += 0.2
    if len(places) > 1:
        bonus += 0.2 * _closeness(places)
    if question.wants in _DEFINED and is_definition(unit, question):
        bonus += 0.6
    if unit.text.rstrip().endswith("?"):
        bonus -= 0.4
    if unit.form is Form.ROW and question.wants in (Wants.PROCEDURE, Wants.REASON):
        bonus -= 0.2
    if unit.form is Form.CODE:
        bonus -= 0.1 if question.wants is Wants.PROCEDURE else 0.6
    if count < 4 and unit.form is not Form.CODE:
        bonus -= 0.3
    return bonus


def _closeness(places: dict[int, list[int]]) -> float:
    """Return 1 when the terms stand side by side, less the further they are apart."""
    firsts = sorted((place, index) for index, several in places.items() for place in several[:8])
    last: dict[int, int] = {}
    shortest = 10_000
    for place, index in firsts:
        last[index] = place
        if len(last) == len(places):
            shortest = min(shortest, place - min(last.values()))
    return min(1.0, len(places) / (shortest + 1))


def likeness(one: str, other: str) -> float:
    """Return the share of the shorter text's meaningful words that the other has too."""
    first = {word for word in words(one) if word not in STOPWORDS}
    second = {word for word in words(other) if word not in STOPWORDS}
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))
