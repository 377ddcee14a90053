"""Composing an answer from the units that fit a question best."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from treadle.agents.embedded._fit import ABOUT_SUBJECT, MUST_FIT
from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._question import Question
from treadle.agents.embedded._reading import Reading, Scored, likeness
from treadle.agents.embedded._units import Unit
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import stem, words
from treadle.agents.embedded._write import write

STRONG = 0.66
FAIR = 0.36
_ENOUGH_IF_MISSING = 0.75
_ENOUGH_TO_TELL_OF = 0.55
MAX_CHARS = 1_100


@dataclass(frozen=True)
class Found:
    """An answer made of units.

    Attributes:
        text: the answer with its labels.
        is_strong: whether it speaks to the whole question.
        is_typed: whether it holds the sort of thing that is asked for.
        missing: words of the question that the texts do not mention.
    """

    text: str
    is_strong: bool
    is_typed: bool
    missing: tuple[str, ...]


def compose(
    reading: Reading, units: Sequence[Unit], question: Question, already_said: str = ""
) -> Found | None:
    """Return the best answer the units give, or ``None`` when they give none."""
    good = [
        one
        for one in reading.best
        if one.coverage >= FAIR and not (already_said and one.unit.text in already_said)
    ]
    if question.wants is not Wants.OVERVIEW:
        good = [one for one in good if one.covered or _is_about(one, question)]
    if not good:
        return None
    good, is_typed = _typed(good, question)
    by_position = {unit.position: unit for unit in units}
    if question.wants is Wants.OVERVIEW:
        chosen = _overview(good)
    else:
        chosen = _whole_list(good, question) or _choose(good, question)
    quoted = _with_neighbours([one.unit for one in chosen], by_position, question)
    missing = [term for term in reading.missing if term.is_strong]
    enough = _ENOUGH_IF_MISSING if missing else STRONG
    if question.wants is Wants.OVERVIEW:
        enough = _ENOUGH_TO_TELL_OF
    names_missing = any(term.is_name for term in missing)
    return Found(
        text=write(quoted),
        is_strong=_share(chosen, question) >= enough and is_typed and not names_missing,
        is_typed=is_typed,
        missing=tuple(term.word for term in missing),
    )


def _is_about(one: Scored, question: Question) -> bool:
    """Tell whether a unit's headings name all that is asked about, and it says what is wanted."""
    if question.wants not in ABOUT_SUBJECT or not one.is_typed:
        return False
    return all(i in one.spoken_to for i, term in enumerate(question.terms) if term.is_strong)


def _typed(good: list[Scored], question: Question) -> tuple[list[Scored], bool]:
    """Keep to the units that hold what is asked for, where there are any worth it.

    Returns:
        The units to choose from, and whether they hold what it cannot be answered without.
    """
    must_fit = question.wants in MUST_FIT
    if not must_fit and question.wants not in ABOUT_SUBJECT:
        return good, True
    typed = [one for one in good if one.is_typed]
    if typed and typed[0].score > (0.5 if must_fit else 0.8) * good[0].score:
        return typed, True
    return good, not must_fit


def _share(chosen: Sequence[Scored], question: Question) -> float:
    """Return the share of the question that the chosen units speak to, alone or together."""
    covered = frozenset[int]().union(*(one.covered for one in chosen))
    together = _weight(covered, question) / sum(term.weight for term in question.terms)
    return max(0.95 * together, *(one.coverage for one in chosen))


def _weight(positions: Collection[int], question: Question) -> float:
    return sum(term.weight for i, term in enumerate(question.terms) if i in positions)


_MOST = {
    Wants.PERSON: 2,
    Wants.TIME: 2,
    Wants.NUMBER: 2,
    Wants.PLACE: 2,
    Wants.DEFINITION: 2,
    Wants.ANYTHING: 2,
    Wants.LIST: 3,
    Wants.PROCEDURE: 3,
}


def _choose(good: Sequence[Scored], question: Question) -> list[Scored]:
    """Choose units that together cover the question and do not repeat each other."""
    first = good[0]
    chosen = [first]
    own = {i for i, term in enumerate(question.terms) if not term.is_carried and term.is_strong}
    is_compared = question.wants is Wants.COMPARISON
    wanted = own or set(range(len(question.terms)))
    covered = set(first.covered if is_compared else first.spoken_to)
    most = _MOST.get(question.wants, 3)
    used = len(first.unit.text)
    for one in good[1:40]:
        if len(chosen) == most:
            break
        brings_new = bool((one.covered - covered) & wanted)
        if is_compared and not brings_new:
            continue
        needed = 0.5 if is_compared else 0.66 if brings_new else 0.8
        if one.score < needed * first.score or one.coverage < needed * first.coverage:
            continue
        if used + len(one.unit.text) > MAX_CHARS:
            continue
        if not is_compared and any(
            likeness(one.unit.text, other.unit.text) > 0.7 for other in chosen
        ):
            continue
        chosen.append(one)
        covered |= one.covered if is_compared else one.spoken_to
        used += len(one.unit.text)
    return chosen


def _whole_list(good: Sequence[Scored], question: Question) -> list[Scored]:
    """Return all items of a list that is introduced as the answer."""
    first = good[0].unit
    if question.wants is not Wants.LIST or first.form not in (Form.ITEM, Form.ROW):
        return []
    same = [one for one in good if _place(one.unit) == _place(first)]
    everything = range(len(question.terms))
    named_above = frozenset[int].intersection(*(one.spoken_to for one in same))
    is_introduced = _weight(named_above, question) >= 0.5 * _weight(everything, question)
    return same[:10] if len(same) > 1 and is_introduced else []


_TOLD_OF_EACH = {1: 5, 2: 3, 3: 2}


def _overview(good: Sequence[Scored]) -> list[Scored]:
    """Choose the first sentences of the best passages."""
    floor = 0.5 * good[0].score
    passages = list(dict.fromkeys(one.unit.passage for one in good if one.score >= floor))[:3]
    chosen: list[Scored] = []
    for passage in passages:
        own = [one for one in good if one.unit.passage == passage and one.score >= 0.8 * floor]
        own.sort(key=lambda one: one.unit.position)
        chosen.extend(own[: _TOLD_OF_EACH[len(passages)]])
    return chosen


def _place(unit: Unit) -> tuple[int, int]:
    return (unit.passage, unit.block)


_PERSONAL = re.compile(r"^\W*(?:It|Its|They|Their|He|She|His|Her)\b")
_ANAPHORIC = re.compile(
    r"^\W*(?:It|Its|They|Their|These|Those|This|That|He|She|His|Her|Both|Such|However|Therefore"
    r"|Thus|Then|Also|Instead|Otherwise|But|And|So|Each|There)\b"
)


def _with_neighbours(
    chosen: Sequence[Unit], by_position: dict[int, Unit], question: Question
) -> list[Unit]:
    """Add the sentences that one leans on, and the code or list that one introduces."""
    picked = {unit.position: unit for unit in chosen}
    for unit in chosen:
        before = by_position.get(unit.position - 1)
        if unit.form is Form.CODE and before and before.text == unit.lead:
            picked.setdefault(before.position, before)
        if unit.form is not Form.SENTENCE:
            continue
        for before in _leant_on(unit, by_position, question):
            picked.setdefault(before.position, before)
        for after in _introduced(unit, by_position):
            picked.setdefault(after.position, after)
    rank = {unit.passage: place for place, unit in reversed(list(enumerate(chosen)))}
    return sorted(picked.values(), key=lambda unit: (rank[unit.passage], unit.position))


def _leant_on(unit: Unit, by_position: dict[int, Unit], question: Question) -> Iterator[Unit]:
    """Yield the sentences before that say what "it" is, unless the question itself does."""
    named = {term.stem for term in question.terms if term.is_strong}
    about = {stem(word) for word in words(unit.title)}
    if _PERSONAL.match(unit.text) and about and about <= named:
        return
    at = unit
    for _ in range(2):
        before = by_position.get(at.position - 1)
        if not _ANAPHORIC.match(at.text) or before is None or _place(before) != _place(unit):
            return
        if len(before.text) > 300:
            return
        yield before
        at = before


def _introduced(unit: Unit, by_position: dict[int, Unit]) -> Iterator[Unit]:
    """Yield the code, rows or items that a sentence with a colon leads up to."""
    first = by_position.get(unit.position + 1)
    if first is None or first.lead != unit.text or first.passage != unit.passage:
        return
    for at in range(first.position, first.position + 8):
        after = by_position.get(at)
        if after is None or _place(after) != _place(first):
            return
        yield after
