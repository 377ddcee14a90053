"""Reading the dates and times of day of a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from treadle.core.sentences import Span
from treadle.runtime.citations._findings import Cover
from treadle.runtime.citations._units import MONTHS

_MONTH = rf"(?P<month>{'|'.join(sorted(map(re.escape, MONTHS), key=len, reverse=True))})\b\.?"
_YEAR = r"(?P<year>[12]\d{3})(?![\d.,]*\d)"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.|er|º)?"
_RANGE = r"(?:(?P<first>[0-3]?\d)(?:st|nd|rd|th|\.)?\s?(?:-|\u2013|\u2014|to|and|bis|und)\s?)?"
_DAY_MONTH = rf"(?<![\w.,]){_RANGE}{_DAY}[ \u00a0-]?(?:\s?(?:of|de)\s)?{_MONTH},?"
_WRITTEN = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_DAY_MONTH}(?:[\s-](?:de\s)?{_YEAR})?",
        rf"\b{_MONTH}\s{_RANGE}{_DAY}(?![\d:]|[.,]\d|\s?(?:%|am\b|pm\b))(?:,?\s{_YEAR})?",
        rf"\b{_MONTH},?\s(?:of\s|de\s)?{_YEAR}",
    )
]
_ISO = re.compile(r"(?<![\d-])([12]\d{3})([-/])([01]?\d)\2([0-3]?\d)(?!\d)")
_NUMERIC = re.compile(r"(?<![\d./])([0-3]?\d)([./])([0-3]?\d)\2([12]\d{3})(?!\d)")
_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>[0-2]?\d)(?:[:](?P<minute>[0-5]\d)(?::[0-5]\d)?)?"
    r"(?P<half>\s?[ap]\.?m\b\.?)?(?![\d:])",
    re.IGNORECASE,
)
# In lower case these are words of other meanings.
_ONLY_CAPITAL = frozenset(
    {"may", "mar", "march", "mai", "jan", "jun", "dec", "sept", "mars", "dez"}
)

Day = tuple[int | None, int, int | None]
"""Year, month and day; what a text leaves out is ``None``."""


@dataclass(frozen=True, slots=True)
class Date:
    """A date in a text.

    Attributes:
        span: where it stands.
        days: what it may mean; more than one where day and month could be exchanged, or for the
            two ends of a range.
        is_range: whether it means all of them.
    """

    span: Span
    days: tuple[Day, ...]
    is_range: bool = False


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day in a text.

    Attributes:
        span: where it stands.
        minutes: since midnight.
        is_exact: whether it says which half of the day, or must.
    """

    span: Span
    minutes: int
    is_exact: bool


def dates(text: str) -> Iterator[Date]:
    """Yield the dates of a text, months with a year included."""
    taken = Cover(len(text))
    for match in _ISO.finditer(text):
        year, month, day = int(match[1]), int(match[3]), int(match[4])
        if 1 <= month <= 12 and 1 <= day <= 31:
            taken.add(match.span())
            yield Date(match.span(), ((year, month, day),))
    for match in _NUMERIC.finditer(text):
        one, two, year = int(match[1]), int(match[3]), int(match[4])
        days = {(year, two, one), (year, one, two)} if match[2] == "/" else {(year, two, one)}
        if found := tuple(day for day in days if 1 <= day[1] <= 12 and 1 <= (day[2] or 0) <= 31):
            taken.add(match.span())
            yield Date(match.span(), found)
    for pattern in _WRITTEN:
        for match in pattern.finditer(text):
            name = match["month"]
            if taken.touches(match.span()) or (name.islower() and name in _ONLY_CAPITAL):
                continue
            taken.add(match.span())
            yield _written(match)


def _written(match: re.Match[str]) -> Date:
    parts = match.groupdict()
    year = int(parts["year"]) if parts["year"] else None
    month = MONTHS[match["month"].lower()]
    ends = [int(parts[name]) for name in ("first", "day") if parts.get(name)]
    days: list[Day] = [(year, month, day) for day in ends] or [(year, month, None)]
    return Date(match.span(), tuple(days), is_range=len(days) > 1)


def times(text: str) -> Iterator[TimeOfDay]:
    """Yield the times of day of a text."""
    for match in _TIME.finditer(text):
        if not match["minute"] and not match["half"]:
            continue
        hour, minute = int(match["hour"]), int(match["minute"] or 0)
        if hour > 24:
            continue
        if match["half"]:
            hour = hour % 12 + (12 if "p" in match["half"].lower() else 0)
        is_exact = bool(match["half"]) or hour > 12 or match["hour"].startswith("0")
        end = match.end() - (1 if match[0].endswith(".") else 0)
        yield TimeOfDay((match.start(), end), hour * 60 + minute, is_exact)


def same_day(said: Day, known: Day) -> bool:
    """Tell whether a known date bears out what is said of a date."""
    return all(part is None or part == other for part, other in zip(said, known, strict=True))
