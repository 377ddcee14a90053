"""Numbers, dates and times in an answer, and whether the evidence has them."""

import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from treadle.core.sentences import Span
from treadle.core.sources import LABEL, Unverified
from treadle.runtime.citations._dates import Day, dates, same_day, times
from treadle.runtime.citations._evidence import CALCULATORS, Evidence
from treadle.runtime.citations._findings import Cover, Edit, Finding
from treadle.runtime.citations._numbers import Hedge, Number, Style, joined_numbers, numbers
from treadle.runtime.citations._urls import spans as address_spans

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
    re.findall(
        r"\w+",
        "fact point reason step way thing example result source passage document article item "
        "option sentence paragraph section part question bullet key main answer place "
        "different ",
    )
)
_DOWNWARD = re.compile(
    r"\b(?:below|minus|negative|loss|deficit|fell|fall|drop\w*|declin\w*|decreas\w*|down|lost"
    r"|shr[aiu]nk\w*)\b",
    re.IGNORECASE,
)
_SMALL = 20
_CLOSE = Fraction(1, 20)
_VERSION = re.compile(r"(?<![\w.,])[vV]?(\d{1,6}(?:\.\d{1,6}){2,5})(?![\w]|\.\d)")
_PART_OF_VERSION = re.compile(
    r"(?:\b(?!(?:The|An|Its|This|These|That|Over|About|Some|In|At|On|From|To|By|For|And) )"
    r"[A-Z]\w{1,30}|\b[vV]ersion|\b[rR]elease) [vV]?(\d{1,4}(?:\.\d{1,4})?)(?![\w]|[.,]\d)"
)
_HALF = Fraction(1, 2)
# How far the exact number may lie from a rounded one, in steps of its last digit.
_REACH = {
    Hedge.NONE: (-_HALF, _HALF),
    Hedge.NEAR: (-_HALF, _HALF),
    Hedge.ABOVE: (Fraction(0), Fraction(1)),
    Hedge.BELOW: (Fraction(-1), Fraction(0)),
}


class KnownFigures:
    """The numbers, dates and times of the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._seen: defaultdict[Fraction, list[Number]] = defaultdict(list)
        self._measured: defaultdict[str, set[Fraction]] = defaultdict(set)
        self._counted: defaultdict[str, set[Fraction]] = defaultdict(set)
        self._calculated: set[Fraction] = set()
        self._ordinals: set[Fraction] = set()
        self._versions: set[str] = set()
        self._days: set[Day] = set()
        self._minutes: set[int] = set()
        for text in evidence.texts():
            self._learn(text)
        for tool in evidence.tools:
            if tool.tool in CALCULATORS:
                style = Style.of(tool.text)
                self._calculated |= {v for n in numbers(tool.text, style) for v in n.values}

    def _learn(self, text: str) -> None:
        taken = Cover(len(text), address_spans(text))
        for match in _STRUCTURE.finditer(text):
            taken.add(match.span())
        for date in dates(text):
            taken.add(date.span)
            self._days.update(date.days)
            self._ordinals.update(Fraction(day) for _, _, day in date.days if day)
            for year in {year for year, _, _ in date.days if year}:
                self._add(Number(date.span, (Fraction(year),)))
        for time in times(text):
            taken.add(time.span)
            self._minutes.add(time.minutes)
        for match in _VERSION.finditer(text):
            parts = match[1].split(".")
            self._versions |= {".".join(parts[:size]) for size in range(1, len(parts) + 1)}
        style = Style.of(text)
        if style is Style.UNKNOWN:
            style = Style.ENGLISH
        for number in (*numbers(text, style), *joined_numbers(text)):
            if not taken.touches(number.span):
                self._add(number)

    def _add(self, number: Number) -> None:
        if number.is_ordinal:
            self._ordinals.update(number.values)
            return
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
        if number.is_ordinal and number.values[0] in self._ordinals:
            return True
        if number.is_word:
            # Most number words are not figures; where the evidence counts the same, they are.
            return not self._contradicts(number)
        return self._has_rounded(values[0], number)

    def _contradicts(self, number: Number) -> bool:
        if number.is_ordinal or number.values[0] < 2:
            return False
        if number.unit:
            return number.unit[0] in self._measured
        return number.noun in self._counted

    def _has_value(self, value: Fraction, number: Number) -> bool:
        seen = self._seen.get(value, ())
        if number.unit:
            return self._has_measure(value, *number.unit)
        if not number.noun or number.noun not in self._counted:
            return bool(seen) or self._is_counted_by_itself(value, number)
        if abs(value) > _SMALL:
            return any(not one.unit for one in seen)
        return value in self._counted[number.noun] or any(
            not one.unit and not one.noun for one in seen
        )

    def _has_measure(self, value: Fraction, dimension: str, factor: Fraction) -> bool:
        if value * factor in self._measured.get(dimension, ()):
            return True
        if dimension == "share" and value / 100 in self._calculated:
            return True
        # Tables give numbers alone, and other languages have other words for a unit.
        seen = self._seen.get(value, ())
        is_foreign = dimension not in self._measured
        return any(not one.unit and (is_foreign or not one.noun) for one in seen)

    def _is_counted_by_itself(self, value: Fraction, number: Number) -> bool:
        return number.noun in _OF_ITSELF and value <= _SMALL

    def _has_rounded(self, value: Fraction, number: Number) -> bool:
        """Tell whether a known number is this one where it was rounded as the text shows."""
        is_rounded = number.hedge is not Hedge.NONE or number.is_scaled
        if not is_rounded and number.step >= 1 and not self._calculated:
            return False
        known = self._near(number)
        if is_rounded:
            low, high = _REACH[number.hedge]
            return any(
                low * number.step <= one - value <= high * number.step
                and abs(one - value) <= abs(one) * _CLOSE
                for one in known
                if one != value
            )
        half = number.step / 2
        if any(abs(one - value) <= half for one in known & self._calculated_for(number)):
            return True
        finer = {one for one in known if (one / number.step).denominator != 1}
        return number.step < 1 and any(abs(one - value) <= half for one in finer)

    def _near(self, number: Number) -> set[Fraction]:
        if not number.unit:
            return set(self._seen)
        dimension, factor = number.unit
        bare = {
            v for v, seen in self._seen.items() if any(not (one.unit or one.noun) for one in seen)
        }
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

    def has_version(self, version: str) -> bool:
        """Tell whether the evidence has a version, such as ``7.2.4``, or a later part of it."""
        return version in self._versions

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
    if not re.search(r"\d", text) and next(numbers(text, Style.UNKNOWN), None) is None:
        return
    known = KnownFigures(evidence)
    taken = Cover(len(text), skipped)
    for pattern in (_STRUCTURE, LABEL):
        for match in pattern.finditer(text):
            taken.add(match.span())
    for span, is_known, reason in _figures(text, known):
        if not taken.touches(span):
            taken.add(span)
            if not is_known:
                said = text[slice(*span)]
                edit = Edit(*span, f"[unverified: {said}]")
                yield Finding(Unverified("number", said, reason), (edit,))


def _figures(text: str, known: KnownFigures) -> Iterator[tuple[Span, bool, str]]:
    """Yield where figures stand, whether they are known and why not; parts after their wholes."""
    for date in dates(text):
        test = all if date.is_range else any
        yield date.span, test(map(known.has_day, date.days)), "no tool returned this date"
    for time in times(text):
        is_known = known.has_time(time.minutes, is_exact=time.is_exact)
        yield time.span, is_known, "no tool returned this time"
    for match in _VERSION.finditer(text):
        yield match.span(), known.has_version(match[1]), "no tool returned this version"
    for match in _PART_OF_VERSION.finditer(text):
        if known.has_version(match[1]):
            yield match.span(1), True, ""
    for number in joined_numbers(text):
        if known.has(number, ""):
            yield number.span, True, ""
    for number in numbers(text, Style.UNKNOWN):
        is_known = _is_borne_out(number, text, known)
        yield number.span, is_known, "no tool returned this number"


def _is_borne_out(number: Number, text: str, known: KnownFigures) -> bool:
    start, end = number.span
    after = text[end : end + 12].lstrip("stndrh- ").lower()
    if number.is_ordinal and after.startswith(("century", "centuries")):
        return known.has(number, "") or known.has_century(number.values[0])
    if re.match(r"['\u2019]?s\b", text[end : end + 3]) and number.values[0] >= 1000:
        return known.has(number, "") or known.has_decade(number.values[0])
    return known.has(number, text[max(0, start - 100) : end + 60])
