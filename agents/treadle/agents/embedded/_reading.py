"""Reading: how well each unit of a text answers a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.agents.embedded._fit import definition, fits
from treadle.agents.embedded._lexicon import STOPWORDS
from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._page import NAMED_ABOVE, Page
from treadle.agents.embedded._question import Question
from treadle.agents.embedded._terms import Term
from treadle.agents.embedded._units import Unit
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import words

_DEFINED = frozenset({Wants.DEFINITION, Wants.COMPARISON, Wants.OVERVIEW})


_TYPE_BONUS = {Wants.PLACE: 0.6, Wants.REASON: 0.3}


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


def read(units: Sequence[Unit], question: Question) -> Reading:
    """Return how well each unit answers the question."""
    terms = question.terms
    if not terms or not units:
        return Reading((), question.own_terms)
    page = Page(units, terms)
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
        spoken_to = frozenset(i for i, level in enumerate(levels) if level >= NAMED_ABOVE)
        scored.append(Scored(unit, score, coverage, frozenset(met), spoken_to, is_typed))
    scored.sort(key=lambda one: (-one.score, one.unit.position))
    return Reading(tuple(scored), page.missing())


def _bonus(
    question: Question, unit: Unit, places: dict[int, list[int]], count: int, is_typed: bool
) -> float:
    bonus = 0.1 / unit.passage
    if is_typed:
        bonus += _TYPE_BONUS.get(question.wants, 0.2)
    if len(places) > 1:
        bonus += 0.2 * _closeness(places)
    if question.wants in _DEFINED:
        bonus += 0.6 * definition(unit, question)
    if unit.text.rstrip().endswith("?"):
        bonus -= 0.4
    if unit.form is Form.ROW and question.wants in (Wants.PROCEDURE, Wants.REASON):
        bonus -= 0.2
    if unit.form is Form.CODE and question.wants is not Wants.PROCEDURE:
        bonus -= 0.6
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
