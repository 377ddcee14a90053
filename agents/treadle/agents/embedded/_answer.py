"""Composing an answer from the units that fit a question best."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from treadle.agents.embedded._fit import MUST_FIT
from treadle.agents.embedded._question import Question, Wants
from treadle.agents.embedded._reading import Reading, Scored, likeness
from treadle.agents.embedded._units import MAX_UNIT_CHARS, Form, Unit

STRONG = 0.6
FAIR = 0.36
MAX_CHARS = 1_100


@dataclass(frozen=True)
class Found:
    """An answer made of units.

    Attributes:
        text: the answer with its labels.
        is_strong: whether it speaks to the whole question.
        missing: words of the question that the texts do not mention.
    """

    text: str
    is_strong: bool
    missing: tuple[str, ...]


def compose(
    reading: Reading, units: Sequence[Unit], question: Question, already_said: str = ""
) -> Found | None:
    """Return the best answer the units give, or ``None`` when they give none."""
    fresh = [one for one in reading.best if not _is_said(one.unit, already_said)]
    good = [one for one in fresh if one.coverage >= FAIR and (one.covered or one.coverage > STRONG)]
    if not good:
        return None
    if question.wants in MUST_FIT:
        typed = [one for one in good if one.is_typed]
        is_typed = bool(typed) and typed[0].score > 0.5 * good[0].score
        good = typed if is_typed else good
    else:
        is_typed = True
    chosen = _choose(good, question)
    covered = frozenset[int]().union(*(one.covered for one in chosen))
    together = sum(
        term.weight for index, term in enumerate(question.terms) if index in covered
    ) / sum(term.weight for term in question.terms)
    names_missing = [term for term in reading.missing if term.is_name]
    best = max(max(one.coverage for one in chosen), 0.95 * together)
    by_position = {unit.position: unit for unit in units}
    quoted = _with_neighbours([one.unit for one in chosen], by_position, question)
    return Found(
        text=write(quoted, question),
        is_strong=best >= STRONG and is_typed and not names_missing,
        missing=tuple(term.word for term in reading.missing if term.weight > 0.3),
    )


def _is_said(unit: Unit, already_said: str) -> bool:
    return bool(already_said) and unit.text in already_said


_MOST = {
    Wants.PERSON: 2,
    Wants.TIME: 2,
    Wants.NUMBER: 2,
    Wants.PLACE: 2,
    Wants.DEFINITION: 3,
    Wants.LIST: 8,
    Wants.OVERVIEW: 5,
    Wants.PROCEDURE: 4,
}


def _choose(good: Sequence[Scored], question: Question) -> list[Scored]:
    """Choose units that together cover the question and do not repeat each other."""
    first = good[0]
    if siblings := _whole_list(first, good, question):
        return siblings
    chosen = [first]
    covered = set(first.covered)
    most = _MOST.get(question.wants, 3)
    used = len(first.unit.text)
    broad = question.wants in (Wants.OVERVIEW, Wants.COMPARISON, Wants.LIST)
    for one in good[1:40]:
        if len(chosen) == most:
            break
        brings_new = bool(one.covered - covered)
        needed = 0.5 if brings_new or broad else 0.72
        if one.score < needed * first.score or used + len(one.unit.text) > MAX_CHARS:
            continue
        if any(likeness(one.unit.text, other.unit.text) > 0.7 for other in chosen):
            continue
        chosen.append(one)
        covered |= one.covered
        used += len(one.unit.text)
    return chosen


def _whole_list(first: Scored, good: Sequence[Scored], question: Question) -> list[Scored]:
    """Return all items of a list that is introduced as the answer."""
    if question.wants not in (Wants.LIST, Wants.OVERVIEW) or first.unit.form is not Form.ITEM:
        return []
    same = [
        one
        for one in good
        if (one.unit.passage, one.unit.block) == (first.unit.passage, first.unit.block)
    ]
    return same[:8] if len(same) > 1 else []


_ANAPHORIC = re.compile(
    r"^\W*(?:It|Its|They|Their|These|Those|This|That|He|She|His|Her|Both|Such|However|Therefore"
    r"|Thus|Then|Also|Instead|Otherwise|But|And|So|Each|There)\b"
)


def _with_neighbours(
    chosen: Sequence[Unit], by_position: dict[int, Unit], question: Question
) -> list[Unit]:
    """Add the sentence before one that leans on it, and the code that one introduces."""
    picked = {unit.position: unit for unit in chosen}
    for unit in chosen:
        before = by_position.get(unit.position - 1)
        if (
            unit.form is Form.SENTENCE
            and _ANAPHORIC.match(unit.text)
            and before is not None
            and (before.passage, before.block) == (unit.passage, unit.block)
            and len(before.text) <= 300
        ):
            picked.setdefault(before.position, before)
        after = by_position.get(unit.position + 1)
        if (
            unit.form is Form.SENTENCE
            and unit.text.endswith(":")
            and after is not None
            and after.passage == unit.passage
            and after.lead == unit.text
        ):
            at = after.position
            while (follower := by_position.get(at)) and follower.block == after.block:
                if follower.passage != unit.passage or at - after.position >= 6:
                    break
                picked.setdefault(at, follower)
                at += 1
    best_first = {unit.passage: rank for rank, unit in reversed(list(enumerate(chosen)))}
    return sorted(picked.values(), key=lambda unit: (best_first[unit.passage], unit.position))


def write(units: Sequence[Unit], question: Question) -> str:
    """Write units as an answer: sentences as prose, items as a list, code as code."""
    lines: list[str] = []
    prose: list[str] = []
    for unit in units:
        mark = f" [^{unit.label}]" if unit.label else ""
        if unit.form is Form.SENTENCE:
            prose.append(f"{short(unit.text)}{mark}")
            continue
        if prose:
            lines.append(" ".join(prose))
            prose = []
        if unit.form is Form.CODE:
            fence = "```"
            while fence in unit.text:
                fence += "`"
            lines.append(
                f"{fence}\n{unit.text[:MAX_CHARS]}\n{fence}{mark and chr(10)}{mark.strip()}"
            )
        elif len(units) == 1:
            lines.append(f"{short(unit.text)}{mark}")
        else:
            lines.append(f"- {short(unit.text)}{mark}")
    if prose:
        lines.append(" ".join(prose))
    return re.sub(r"\n\n(?=- )", "\n", "\n\n".join(lines))


def short(text: str, most: int = MAX_UNIT_CHARS) -> str:
    """Return a text cut at a word where it is too long."""
    if len(text) <= most:
        return text
    return text[:most].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"
