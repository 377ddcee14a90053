"""Reading: how well each unit of a text answers a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from treadle.agents.embedded._fit import fits, is_definition
from treadle.agents.embedded._question import Question, Term, Wants
from treadle.agents.embedded._units import Form, Unit
from treadle.agents.embedded._words import STOPWORDS, SYNONYMS, placed_words, stem, words

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
        is_typed: whether it holds the sort of thing that is asked for.
    """

    unit: Unit
    score: float
    coverage: float
    covered: frozenset[int]
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
        for count, (word, _) in enumerate(placed_words(text), start=1):
            # Forms of a word share their beginning, so most words need no stemming.
            if word.isascii() and word[:2] not in self._begins:
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
    matcher = _Matcher(terms)
    found = [matcher.places(unit.text) for unit in units]
    around: dict[tuple[str, str, str], dict[int, float]] = {}
    blocks: dict[tuple[int, int], set[int]] = {}
    frequency = [0] * len(terms)
    for unit, (_, met, _) in zip(units, found, strict=True):
        for index in met:
            frequency[index] += 1
        blocks.setdefault((unit.passage, unit.block), set()).update(met)
        key = (unit.title, unit.headings, unit.lead)
        if key not in around:
            around[key] = matcher.places("\n".join(key))[1]
    rarity = [_rarity(count, len(units)) for count in frequency]
    mentioned = {index for met in around.values() for index in met}
    weights = [
        _weight(term, frequency[index] > 0 or index in mentioned)
        for index, term in enumerate(terms)
    ]
    asked = frozenset(words(question.text))
    scored: list[Scored] = []
    for unit, (places, met, count) in zip(units, found, strict=True):
        heading = around[(unit.title, unit.headings, unit.lead)]
        if not met and not heading:
            continue
        level = {
            index: max(
                met.get(index, 0.0),
                _IN_HEADING * heading.get(index, 0.0),
                _IN_BLOCK if index in blocks[(unit.passage, unit.block)] else 0.0,
            )
            for index in range(len(terms))
        }
        coverage = sum(weights[i] * level[i] for i in level) / sum(weights)
        is_typed = fits(question.wants, unit, asked)
        relevance = _relevance(places, met, heading, count, terms, rarity)
        score = relevance + 0.5 * coverage + _bonus(question, unit, places, count, is_typed)
        scored.append(Scored(unit, score, coverage, frozenset(met), is_typed))
    scored.sort(key=lambda one: (-one.score, one.unit.position))
    missing = tuple(
        term
        for index, term in enumerate(terms)
        if not term.is_carried and not frequency[index] and index not in mentioned
    )
    return Reading(tuple(scored), missing)


def _rarity(count: int, total: int) -> float:
    return max(0.3, log(1 + (total - count + 0.5) / (count + 0.5)))


def _weight(term: Term, is_mentioned: bool) -> float:
    """Return how much of the question a term makes up; what nothing mentions weighs more."""
    weight = term.weight * (1.4 if term.is_name and not term.is_carried else 1.0)
    return weight if is_mentioned or term.weight <= 0.3 else weight * 1.4


def _relevance(
    places: dict[int, list[int]],
    met: dict[int, float],
    heading: dict[int, float],
    count: int,
    terms: Sequence[Term],
    rarity: Sequence[float],
) -> float:
    """BM25 with short saturation, as a share of what a unit with all terms would have."""
    length = 0.6 + 0.4 * count / _USUAL_WORDS
    total = ideal = 0.0
    for index, term in enumerate(terms):
        value = term.weight * rarity[index]
        ideal += value
        if index in met:
            often = len(places[index])
            total += value * met[index] * often * 2.0 / (often + length)
        elif index in heading:
            total += value * 0.4
    return total / ideal if ideal else 0.0


def _bonus(
    question: Question, unit: Unit, places: dict[int, list[int]], count: int, is_typed: bool
) -> float:
    bonus = 0.1 / unit.passage
    if is_typed and places:
        bonus += 0.2
    if len(places) > 1:
        bonus += 0.2 * _closeness(places)
    if question.wants is Wants.DEFINITION and is_definition(unit, question):
        bonus += 0.6
    if unit.text.rstrip().endswith("?"):
        bonus -= 0.4
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
