"""Reading the numbers of a text: what they may mean, and what they count or measure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from treadle.core.sentences import Span
from treadle.runtime.citations._units import MAGNITUDES, NUMBER_WORDS, ORDINAL_WORDS, unit_of


class Hedge(Enum):
    """On which side of a rounded number the exact one lies."""

    NONE = 0
    NEAR = 1
    ABOVE = 2
    BELOW = 3


class Style(Enum):
    """How a text writes numbers, as far as it shows."""

    ENGLISH = "1,234.5"
    EUROPEAN = "1.234,5"
    UNKNOWN = "1234"

    @classmethod
    def of(cls, text: str) -> "Style":
        """Return the style that a text shows."""
        european, english = bool(_EUROPEAN.search(text)), bool(_ENGLISH.search(text))
        if european == english:
            return cls.UNKNOWN
        return cls.EUROPEAN if european else cls.ENGLISH


_SPACES = "\u00a0\u202f\u2009"
_DIGITS = rf"\d{{1,3}}(?:[{_SPACES}'\u2019_]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"
_NUMBER = re.compile(
    r"(?<![\w.,])(?<![A-Za-z]-)(?<![A-Za-z]\u2011)"
    r"(?P<sign>(?<![\w)\]])[-\u2212\u2013](?=[$\u20ac\u00a3\u00a5]?\d))?"
    rf"(?P<currency>[$\u20ac\u00a3\u00a5])?(?P<digits>{_DIGITS})"
    r"(?P<attached>(?:st|nd|rd|th|[a-zA-Z\u00b5\u00b0%\u2103\u2109]{1,12}[\u00b2\u00b3]?)(?!\w))?(?!\w)"
)
_AFTER = re.compile(
    rf"(?:[ \t{_SPACES}]|\n(?!\s*\n)|-(?=[A-Za-z])){{0,2}}"
    r"(?P<word>%|[$\u20ac\u00a3\u00a5]|\u00b0[CF]?|\u2103|\u2109|[^\W\d_]+[\u00b2\u00b3]?)"
)
_DEGREES = re.compile(
    r"[\s-]?(?:\u00b0\s?(?P<scale>[CF])\b|degrees?\s(?P<name>[CF])(?=elsius|ahren))", re.IGNORECASE
)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?(?![\d.,]*\d)")
_WORD_NUMBER = re.compile(
    rf"(?<![\w-])(?:{'|'.join([*NUMBER_WORDS, *ORDINAL_WORDS])})(?![\w])", re.IGNORECASE
)
_HEDGES = {
    Hedge.NEAR: "about|around|approximately|approx\\.?|roughly|some|circa|ca\\.?|close to|just|rund"
    "|etwa|environ|~|\u2248",
    Hedge.ABOVE: "over|above|more than|at least|mehr als|\u00fcber|plus de",
    Hedge.BELOW: "nearly|almost|under|below|less than|up to|fast|knapp|presque",
}
_HEDGE = re.compile(
    "|".join(rf"(?P<{hedge.name}>(?<!\w)(?:{words}))" for hedge, words in _HEDGES.items()).join(
        ("(?:", r")\s?(?:[$\u20ac\u00a3\u00a5])?$")
    ),
    re.IGNORECASE,
)
_EUROPEAN = re.compile(r"\d\.\d{3}(?:\.\d{3}|,\d)|\d,\d{1,2}(?!\d)")
_ENGLISH = re.compile(r"\d,\d{3}(?:,\d{3}|\.\d)|(?<![\d.])\d+\.\d{1,2}(?![\d.])")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to by for from with and or but as is was are were be been it its "
        "this that than then who which when where while since until per after before between "
        "about over under out into onto more less other also not no he she they we you i his "
        "her their has had have der die das und oder im am von bis le la les de du des et ou "
        "en ",
    )
)
_MAX_DIGITS = 200
_ORDINAL = frozenset({"st", "nd", "rd", "th"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        span: where it stands, without its unit.
        values: what it may mean; more than one only where its separators leave that open.
        step: the value of its last digit that says something.
        unit: what it measures, and how many base units its unit is.
        noun: the word behind it, in lower case and without a plural "s"; empty before others.
        hedge: how the text says that it is not exact.
        is_scaled: whether a word such as "million" follows.
        is_word: whether it is written as a word.
        is_ordinal: whether it says which one, not how many.
    """

    span: Span
    values: tuple[Fraction, ...]
    step: Fraction = Fraction(1)
    unit: tuple[str, Fraction] | None = None
    noun: str = ""
    hedge: Hedge = Hedge.NONE
    is_scaled: bool = False
    is_word: bool = False
    is_ordinal: bool = False


def numbers(text: str, style: Style) -> Iterator[Number]:
    """Yield the numbers of a text, those in names such as ``IPv4`` or ``gpt-5`` left out."""
    for match in _NUMBER.finditer(text):
        yield from _read(text, match, style)
    for match in _WORD_NUMBER.finditer(text):
        word = match[0].lower()
        is_ordinal = word in ORDINAL_WORDS
        value = ORDINAL_WORDS[word] if is_ordinal else NUMBER_WORDS[word]
        scale, unit, noun = _what(text, match.end(), None, "")
        yield Number(
            match.span(),
            (Fraction(value * scale),),
            unit=unit,
            noun=noun,
            is_word=True,
            is_ordinal=is_ordinal,
        )


def joined_numbers(text: str) -> Iterator[Number]:
    """Yield the numbers whose thousands may be set apart by plain spaces, as in ``12 345``."""
    for match in _GROUPED.finditer(text):
        value = Fraction(match[0][:_MAX_DIGITS].replace(" ", "").replace(",", "."))
        _, unit, noun = _what(text, match.end(), None, "")
        yield Number(match.span(), (value,), unit=unit, noun=noun)


def _read(text: str, match: re.Match[str], style: Style) -> Iterator[Number]:
    attached = match["attached"] or ""
    if attached and not (
        attached in _ORDINAL
        or attached.lower() in MAGNITUDES
        or attached in ("s", "x")
        or unit_of(attached)
    ):
        return  # It is a name.
    readings = _readings(match["digits"], style)
    if not readings:
        yield from _listed(match)
        return
    scale, unit, noun = _what(text, match.end(), match["currency"], attached)
    sign = -1 if match["sign"] else 1
    step = _step(match["digits"][:_MAX_DIGITS], readings[0]) * scale
    before = _HEDGE.search(text[max(0, match.start() - 16) : match.start()])
    hedge = Hedge[before.lastgroup] if before and before.lastgroup else Hedge.NONE
    start = match.start("sign") if match["sign"] else match.start()
    yield Number(
        (start, match.end("digits")),
        tuple(sign * value * scale for value in readings),
        step,
        unit,
        noun,
        hedge=hedge,
        is_scaled=scale > 1,
        is_ordinal=attached in _ORDINAL,
    )


def _listed(match: re.Match[str]) -> Iterator[Number]:
    """Yield the numbers of digits that are no number as a whole: ``1,2,3``, or ``2,961,1770``."""
    if "." not in match["digits"]:
        for part in re.finditer(r"\d+", match[0]):
            at = match.start() + part.start()
            yield Number((at, at + len(part[0])), (Fraction(part[0][:_MAX_DIGITS]),))


def _readings(digits: str, style: Style) -> tuple[Fraction, ...]:
    """Return what digits and separators may mean, likeliest first; nothing for a version."""
    plain = re.sub(rf"[{_SPACES}'\u2019_]", "", digits[:_MAX_DIGITS])
    points, commas = plain.count("."), plain.count(",")
    if points and commas:
        decimal = max(".,", key=plain.rfind)
        plain = plain.replace("," if decimal == "." else ".", "")
        return (Fraction(plain.replace(decimal, ".")),) if plain.count(decimal) == 1 else ()
    mark = "." if points else ","
    is_grouped = bool(re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{mark}\d{{3}})+", plain))
    whole = Fraction(plain.replace(mark, ""))
    if points + commas != 1:
        return (whole,) if is_grouped or points + commas == 0 else ()
    parted = Fraction(plain.replace(mark, "."))
    if not is_grouped:
        # Nobody writes 20,0000 for 20.
        is_odd = mark == "," and re.fullmatch(r"[1-9]\d*,\d*0\d*", plain) and plain[-4] != ","
        return () if is_odd and len(plain.partition(mark)[2]) > 2 else (parted,)
    likely, other = whole, parted
    if (mark == ",") == (style is Style.EUROPEAN):
        likely, other = parted, whole
    # Nobody writes 40,000 for 40.
    is_open = style is Style.UNKNOWN and not (mark == "," and plain.endswith("0"))
    return (likely, other) if is_open else (likely,)


def _step(digits: str, value: Fraction) -> Fraction:
    if value.denominator == 1 and not re.search(r"[.,]\d{1,2}$", digits):
        zeros = len(str(value)) - len(str(value).rstrip("0")) if value else 0
        return Fraction(10**zeros)
    decimals = re.search(r"[.,](\d+)$", digits)
    return Fraction(1, 10 ** len(decimals[1])) if decimals else Fraction(1)


def _what(
    text: str, at: int, currency: str | None, attached: str
) -> tuple[int, tuple[str, Fraction] | None, str]:
    """Return by what a number is multiplied, what it measures, and what it counts."""
    scale, unit = 1, unit_of(currency) if currency else None
    if attached.lower() in MAGNITUDES and attached not in ("m", "K"):
        scale = MAGNITUDES[attached.lower()]
    elif attached and attached not in _ORDINAL and attached != "x":
        if unit is None:
            unit = unit_of(attached)
        return scale, unit, ""
    while match := _AFTER.match(text, at):
        word = match["word"].lower()
        if scale == 1 and len(word) > 1 and word in MAGNITUDES:
            scale, at = MAGNITUDES[word], match.end()
            continue
        if degrees := _DEGREES.match(text, at):
            return scale, unit_of(f"\u00b0{degrees['scale'] or degrees['name']}"), ""
        found = unit_of(match["word"])
        # A single letter behind a space may be anything.
        if found and unit is None and (len(word) > 1 or not word.isalpha() or word in "mgshl"):
            return scale, found, ""
        return scale, unit, "" if word in _STOP else word.removesuffix("s")
    return scale, unit, ""
