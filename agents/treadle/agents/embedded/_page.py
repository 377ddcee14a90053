"""All units side by side: which terms each holds, and how rare each term is among them."""

import re
from collections.abc import Sequence
from math import log

from treadle.agents.embedded._lexicon import IRREGULAR
from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._terms import Term
from treadle.agents.embedded._units import Unit
from treadle.agents.embedded._words import SYNONYMS, content_stems, placed_words, stem

_HERE = 1.0
_BY_SYNONYM = 0.8
_IN_HEADING = 0.6
_IN_SUBJECT = 0.85
NAMED_ABOVE = _IN_HEADING * _BY_SYNONYM
"""The level from which a term counts as named by a unit's headings."""
_IN_BLOCK = 0.4
_IN_CODE = 0.85
_USUAL_WORDS = 22


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


_Surroundings = tuple[str, str, str]


class Page:
    """All units side by side: which terms each holds, and how rare each term is among them."""

    def __init__(self, units: Sequence[Unit], terms: Sequence[Term]) -> None:
        matcher = _Matcher(terms)
        self.terms = terms
        self.found = [_met(unit, matcher) for unit in units]
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
                self._around[key] = self._stand(unit, matcher.places("\n".join(key))[1])
        in_headings = {index for met in self._around.values() for index in met}
        self._mentioned = [
            bool(count) or index in in_headings for index, count in enumerate(frequency)
        ]
        self._rarity = [_rarity(count, len(units)) for count in frequency]
        self._weights = [
            _weight(term, is_mentioned)
            for term, is_mentioned in zip(terms, self._mentioned, strict=True)
        ]

    def _stand(self, unit: Unit, met: dict[int, float]) -> dict[int, float]:
        """Return how well what is above a unit speaks to each term for it."""
        stems = {term.stem for term in self.terms}
        subjects = (unit.title, (unit.headings or unit.title).rpartition(" > ")[2])
        is_subject = any(set(content_stems(one)) <= stems for one in subjects if one)
        share = _IN_SUBJECT if is_subject else _IN_HEADING
        return {index: share * level for index, level in met.items()}

    def levels(self, unit: Unit, met: dict[int, float]) -> list[float]:
        """Return how well a unit speaks to each term, by itself or by where it stands."""
        heading = self._around[_surroundings(unit)]
        block = self._blocks[(unit.passage, unit.block)]
        return [
            max(
                met.get(index, 0.0),
                heading.get(index, 0.0),
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
        block = self._blocks[(unit.passage, unit.block)]
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
            nearby = value * 0.15 if index in block else 0.0
            total += max(own, by_heading if index in heading else 0.0, nearby)
        return total / ideal if ideal else 0.0


_Met = tuple[dict[int, list[int]], dict[int, float], int]


def _met(unit: Unit, matcher: _Matcher) -> _Met:
    """Return which terms a unit holds; a name in code says less than a word in prose."""
    places, met, count = matcher.places(unit.text)
    if unit.form is Form.CODE:
        met = {index: _IN_CODE * level for index, level in met.items()}
    return places, met, count


def _surroundings(unit: Unit) -> _Surroundings:
    return (unit.title, unit.headings, unit.lead)


def _rarity(count: int, total: int) -> float:
    return max(0.3, log(1 + (total - count + 0.5) / (count + 0.5)))


def _weight(term: Term, is_mentioned: bool) -> float:
    """Return how much of the question a term makes up; what nothing mentions weighs more."""
    weight = term.weight * (1.4 if term.is_name and not term.is_carried else 1.0)
    return weight if is_mentioned or not term.is_strong else weight * 1.4
