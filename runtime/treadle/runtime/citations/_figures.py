"""Numbers, dates and times in an answer, and whether the evidence has them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from treadle.core.sources import LABEL, Unverified
from treadle.runtime.citations._dates import Day, dates, same_day, times
from treadle.runtime.citations._evidence import CALCULATORS, Evidence
from treadle.runtime.citations._findings import Cover, Edit, Finding, Span
from treadle.runtime.citations._numbers import Number, Style, joined_numbers, numbers

# Numbers that order an answer rather than say something: lists, headings, steps, citation marks.
_STRUCTURE = re.compile(
    r"^[ \t]{0,12}(?:[-*>|#]{1,6}[ \t]*){0,4}(?:\*\*|__)?\d{1,3}(?:[.):]|\*\*|[ \t]*\|)(?=\s|\*|$)"
    r"|\[\^?\d{1,3}\]|\(\d{1,2}\)(?=\s)"
    r"|\b(?:step|option|point|question|part|example|item|note|figure|table|no\.)\s\d{1,3}\b"
    r"|^#{1,6}\s+\d[\d.]{0,8}\s",
    re.IGNORECASE | re.MULTILINE,
)
# What an answer counts of itself.
_OF_ITSELF = frozenset(
    "fact point reason step way thing example result source passage document article item option "
    "sentence paragraph section part question bullet key main answer place different".split()
)
_DOWNWARD = re.compile(
    r"\b(?:below|minus|negative|loss|deficit|fell|fall|drop\w*|declin\w*|decreas\w*|down|lost"
    r"|shr[aiu]nk\w*)\b",
    re.IGNORECASE,
)
_SMALL = 20
_CLOSE = Fraction(1, 20)


class KnownFigures:
    """The numbers, dates and times of the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._seen: defaultdict[Fraction, list[Number]] = defaultdict(list)
        self._measured: defaultdict[str, set[Fraction]] = defaultdict(set)
        self._counted: defaultdict[str, set[Fraction]] = defaultdict(set)
        self._calculated: set[Fraction] = set()
        self._days: set[Day] = set()
        self._minutes: set[int] = set()
        for text in evidence.texts():
            self._learn(text)
        for tool in evidence.tools:
            if tool.tool in CALCULATORS:
                style = Style.of(tool.text)
                self._calculated |= {v for n in numbers(tool.text, style) for v in n.values}

    def _learn(self, text: str) -> None:
        structure = Cover(len(text), (match.span() for match in _STRUCTURE.finditer(text)))
        style = Style.of(text)
        if style is Style.UNKNOWN:
            style = Style.ENGLISH
        for number in (*numbers(text, style), *joined_numbers(text)):
            if not structure.touches(number.span):
                self._add(number)
        for date in dates(text):
            self._days.update(date.days)
            for year, _, day in date.days:
                for part, noun in ((year, ""), (day, "day of a month")):
                    if part is not None:
                        self._add(Number(date.span, (Fraction(part),), noun=noun))
        for time in times(text):
            self._minutes.add(time.minutes)

    def _add(self, number: Number) -> None:
        for value in number.values:
            self._seen[value].append(number)
            if number.unit:
                self._measured[number.unit[0]].add(value * number.unit[1])
            elif number.noun:
                self._counted[number.noun].add(value)

    def has(self, number: Number, sentence: str) -> bool:
        """Tell whether the evidence bears a number out."""
        values = number.values
        if _DOWNWARD.search(sentence):
            values = (*values, *(-value for value in values))
        if any(self._has_value(value, number) for value in values):
            return True
        if number.is_word:
            # Most number words are not figures; where the evidence counts the same, they are.
            return not self._contradicts(number)
        return any(self._has_rounded(value, number) for value in values)

    def _contradicts(self, number: Number) -> bool:
        if number.is_ordinal or number.values[0] < 2:
            return False
        if number.unit:
            return number.unit[0] in self._measured
        return number.noun in self._counted

    def _has_value(self, value: Fraction, number: Number) -> bool:
        seen = self._seen.get(value, ())
        if number.unit:
            dimension, factor = number.unit
            if value * factor in self._measured.get(dimension, ()):
                return True
            if dimension == "share" and value / 100 in self._calculated:
                return True
            if any(not one.unit and not one.noun for one in seen):
                return True
            return dimension not in self._measured and any(not one.unit for one in seen)
        if not number.noun or number.noun not in self._counted:
            return bool(seen) or self._is_counted_by_itself(value, number)
        if abs(value) > _SMALL:
            return any(not one.unit for one in seen)
        return value in self._counted[number.noun] or any(
            not one.unit and not one.noun for one in seen
        )

    def _is_counted_by_itself(self, value: Fraction, number: Number) -> bool:
        return number.noun in _OF_ITSELF and value <= _SMALL

    def _has_rounded(self, value: Fraction, number: Number) -> bool:
        """Tell whether a known number is this one where it was rounded as the text shows."""
        known = self._near(number)
        if not known:
            return False
        half = number.step / 2
        if number.is_hedged or number.is_scaled:
            reach = number.step if number.is_hedged else half
            return any(
                abs(one - value) <= reach and abs(one - value) <= abs(one) * _CLOSE for one in known
            )
        if any(abs(one - value) <= half for one in known & self._calculated_for(number)):
            return True
        finer = {one for one in known if (one / number.step).denominator != 1}
        return number.step < 1 and any(abs(one - value) <= half for one in finer)

    def _near(self, number: Number) -> set[Fraction]:
        if not number.unit:
            return set(self._seen)
        dimension, factor = number.unit
        bare = {v for v, seen in self._seen.items() if any(not one.unit for one in seen)}
        same = {value / factor for value in self._measured.get(dimension, ())}
        return bare | same | self._calculated_for(number)

    def _calculated_for(self, number: Number) -> set[Fraction]:
        if number.unit and number.unit[0] == "share":
            return self._calculated | {value * 100 for value in self._calculated}
        return self._calculated

    def has_day(self, day: Day) -> bool:
        """Tell whether the evidence has a date, in one place or with its year in another."""
        if any(same_day(day, known) for known in self._days):
            return True
        year, month, of_month = day
        is_year_known = year is not None and Fraction(year) in self._seen
        return is_year_known and of_month is not None and (None, month, of_month) in self._days

    def has_time(self, minutes: int, *, is_exact: bool) -> bool:
        """Tell whether the evidence has a time of day."""
        if minutes in self._minutes:
            return True
        return not is_exact and any(known % 720 == minutes % 720 for known in self._minutes)

    def has_decade(self, year: Fraction) -> bool:
        """Tell whether the evidence has a year of the decade that begins with this one."""
        return any(year + i in self._seen for i in range(10))

    def has_century(self, number: Fraction) -> bool:
        """Tell whether the evidence has a year of the century with this number."""
        first = 100 * (number - 1)
        return any(first <= value <= first + 100 for value in self._seen)


def false_figures(text: str, skipped: list[Span], evidence: Evidence) -> Iterator[Finding]:
    """Yield the numbers, dates and times of an answer that the evidence does not have."""
    if not re.search(r"\d", text) and not any(True for _ in numbers(text, Style.UNKNOWN)):
        return
    known = KnownFigures(evidence)
    taken = Cover(len(text), skipped)
    for pattern in (_STRUCTURE, LABEL):
        for match in pattern.finditer(text):
            taken.add(match.span())
    for date in dates(text):
        if not taken.touches(date.span):
            taken.add(date.span)
            test = all if date.is_range else any
            if not test(map(known.has_day, date.days)):
                yield _finding(text, date.span, "no tool returned this date")
    for time in times(text):
        if not taken.touches(time.span):
            taken.add(time.span)
            if not known.has_time(time.minutes, is_exact=time.is_exact):
                yield _finding(text, time.span, "no tool returned this time")
    for number in joined_numbers(text):
        if not taken.touches(number.span) and known.has(number, ""):
            taken.add(number.span)
    for number in numbers(text, Style.of(text)):
        if not taken.touches(number.span) and not _is_borne_out(number, text, known):
            yield _finding(text, number.span, "no tool returned this number")


def _is_borne_out(number: Number, text: str, known: KnownFigures) -> bool:
    start, end = number.span
    after = text[end : end + 12].lstrip("stndrh- ").lower()
    if number.is_ordinal and after.startswith(("century", "centuries")):
        return known.has(number, "") or known.has_century(number.values[0])
    if re.match(r"['\u2019]?s\b", text[end : end + 3]) and number.values[0] >= 1000:
        return known.has(number, "") or known.has_decade(number.values[0])
    return known.has(number, text[max(0, start - 100) : end + 60])


def _finding(text: str, span: Span, reason: str) -> Finding:
    said = text[slice(*span)]
    return Finding(Unverified("number", said, reason), (Edit(*span, f"[unverified: {said}]"),))
