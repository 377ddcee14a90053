"""Units of measure, and the words for numbers and months."""

from fractions import Fraction

_MEASURES: dict[str, dict[str, str]] = {
    "length": {
        "1/1000000": "\u00b5m micrometre micrometer",
        "1/1000": "mm millimetre millimeter",
        "1/100": "cm centimetre centimeter",
        "1": "m metre meter m\u00e8tre metro",
        "1000": "km kilometre kilometer kilom\u00e8tre",
    },
    "feet": {"1": "ft foot feet", "3": "yd yard", "5280": "mile mi", "1/12": "inch inches"},
    "mass": {
        "1/1000": "mg milligram milligramm",
        "1": "g gram gramm gramme",
        "1000": "kg kilogram kilogramm kilo",
        "1000000": "tonne",
    },
    "pound": {"1": "lb lbs pound", "1/16": "oz ounce"},
    "time": {
        "1/1000000": "\u00b5s microsecond",
        "1/1000": "ms millisecond",
        "1": "s sec second sekunde sekunden seconde",
        "60": "min minute minuten",
        "3600": "h hr hrs hour stunde stunden heure",
        "86400": "day tag tage tagen jour",
        "604800": "week woche wochen semaine",
    },
    "years": {
        "1/12": "month monat monate monaten",
        "1": "year yr yrs jahr jahre jahren ann\u00e9e",
        "10": "decade",
    },
    "bytes": {
        "1": "b byte bytes octet",
        "1000": "kb kilobyte",
        "1000000": "mb megabyte",
        "1000000000": "gb gigabyte",
        "1000000000000": "tb terabyte",
    },
    "binary bytes": {"1": "kib", "1024": "mib", "1048576": "gib"},
    "power": {"1": "w watt", "1000": "kw kilowatt", "1000000": "mw megawatt", "1000000000": "gw"},
    "volume": {"1/1000": "ml millilitre", "1": "l litre liter"},
    "frequency": {"1": "hz hertz", "1000": "khz", "1000000": "mhz", "1000000000": "ghz"},
    "celsius": {"1": "\u00b0c \u2103 celsius degree grad"},
    "fahrenheit": {"1": "\u00b0f \u2109 fahrenheit"},
    "share": {"1": "% percent percentage prozent pourcent"},
    "dollars": {"1": "$ usd dollar"},
    "euros": {"1": "\u20ac eur euro"},
    "pounds": {"1": "\u00a3 gbp"},
    "yen": {"1": "\u00a5 yen jpy"},
    "area": {"1": "km\u00b2 km2", "1/1000000": "m\u00b2 m2"},
}

UNITS: dict[str, tuple[str, Fraction]] = {
    word: (dimension, Fraction(factor))
    for dimension, factors in _MEASURES.items()
    for factor, words in factors.items()
    for word in words.split()
}
"""What each unit measures, and how many of the dimension's base unit it is."""

MAGNITUDES = {
    "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "mn": 10**6, "bn": 10**9, "k": 1_000, "mio": 10**6, "mrd": 10**9, "tausend": 1_000,
    "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9, "milliard": 10**9, "mille": 1_000,
}  # fmt: skip
"""Words that multiply the number before them."""

_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
NUMBER_WORDS = {word: value for value, word in enumerate(_WORDS.split())}
"""The cardinal numbers that are usually written as words."""

ORDINAL_WORDS = {word: value for value, word in enumerate(_ORDINALS.split())}
"""The ordinal numbers that are usually written as words."""

_MONTHS = (
    "january jan januar j\u00e4nner janvier enero gennaio janeiro",
    "february feb februar f\u00e9vrier febrero febbraio fevereiro",
    "march mar m\u00e4rz mars marzo mar\u00e7o",
    "april apr avril abril aprile",
    "may mai mayo maggio maio",
    "june jun juni juin junio giugno junho",
    "july jul juli juillet julio luglio julho",
    "august aug ao\u00fbt agosto",
    "september sep sept septembre septiembre settembre setembro",
    "october oct oktober okt octobre octubre ottobre outubro",
    "november nov novembre noviembre novembro",
    "december dec dezember dez d\u00e9cembre diciembre dicembre dezembro",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
"""The number of each month, in the languages written with Latin letters that are most common."""


def unit_of(word: str) -> tuple[str, Fraction] | None:
    """Return what a word measures, and in how many base units; ``None`` when it is no unit."""
    for form in (word, word.lower(), word.lower().removesuffix("s")):
        if form in UNITS:
            return UNITS[form]
    return None
