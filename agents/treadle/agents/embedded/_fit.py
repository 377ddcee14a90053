"""Whether a unit holds the sort of thing that is asked for."""

import re

from treadle.agents.embedded._markdown import Form
from treadle.agents.embedded._question import Question
from treadle.agents.embedded._units import Unit
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import content_stems, is_stopword, words

_DAYS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_SPELT = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty"
    "|hundred|thousand|million|billion|dozen|half"
)
_UNIT = (
    r"%|(?:per ?cent|ns|ms|milli\w+|seconds?|s|min|minutes?|h|hours?|days?|weeks?|months?|years?"
    r"|decades?|centur\w+|mm|cm|m|km|met(?:re|er)s?|kilomet\w+|miles?|feet|foot|ft|inch\w*|acres?"
    r"|hectares?|km2|square|kg|g|t|tons?|tonnes?|kilo\w+|pounds?|lbs?|degrees?|\u00b0C|\u00b0F"
    r"|bytes?"
    r"|[kmgt]i?b|characters?|chars|lines?|words?|pages?|tokens?|times|km/h|mph|people"
    r"|inhabitants)\b"
)
_PERSON = (
    r"\b(?!(?:The|This|That|These|It|In|On|At|A|An)\s)[A-Z][\w.\u2019'-]*[ ]"
    r"(?:(?:van|von|de|der|di|da|of) )?[A-Z][\w.\u2019'-]+|\bby (?:the )?[A-Z]\w+"
    r"|^\W*(?:He|She|His|Her|They)\b|\b(?:team|company|companies|engineers?|scientists?|maintainers?|developers?|people|founders?"
    r"|users?|process(?:es)?)\b"
)
_TIME = (
    rf"\b(?:1\d{{3}}|20\d\d)s?\b|\b(?:{_DAYS})\b|\b\d{{1,2}}(?:st|nd|rd|th) century"
    r"|\b(?:every|after|before|within|once|daily|hourly|nightly|weekly|at startup|bc|bce|ad|ce"
    r"|\d+ (?:seconds?|minutes?|hours?|days?|weeks?|months?|years?))\b"
)
_NUMBER = rf"\d[\d.,]*|\b(?:{_SPELT}|twice|no limit|unlimited)\b"
_MEASURE = rf"(?:\d|\b(?:{_SPELT})\b)[\s\u00a0-]*(?:million |thousand |billion )?(?:{_UNIT})"
_PLACE = (
    r"\b(?:in|at|on|near|from|to|under|inside|through|into|along|between)\s+(?:the |your |a )?"
    r"(?:[A-Z]\w+|`?[~./\w-]*[/.][\w/.-]+|[\w' ]{0,30}(?:folder|directory|file|table|list|city"
    r"|river"
    r"|bank|side|coast))|~/|`[/.]|\b(?:north|south|east|west)\S* of\b"
    r"|\b(?:located|situated|lies|lives?|kept|stored)\b"
)
_REASON = (
    r"\b(?:because|since|so that|therefore|thus|due to|in order to|reasons?|otherwise|to avoid"
    r"|caus\w+|as a result|leads? to|led to|hence|thanks to|which means|results? (?:in|from)|so)\b"
)
_PROCEDURE = (
    r"`[^`]+`|^\W*(?:run|use|set|install|call|add|write|open|create|pass|put|press|type|copy|start"
    r"|configure|choose|select|enter|click|make|define|give|wrap|import|export|remove|delete)\b"
    r"|\bby \w+ing\b|\b(?:first|then|using|with|when|through)\b"
)
_CASED = {Wants.PERSON: re.compile(_PERSON), Wants.PLACE: re.compile(_PLACE)}
_PATTERNS = _CASED | {
    wants: re.compile(pattern, re.IGNORECASE)
    for wants, pattern in {
        Wants.TIME: _TIME,
        Wants.NUMBER: _NUMBER,
        Wants.REASON: _REASON,
        Wants.PROCEDURE: _PROCEDURE,
    }.items()
}
_MEASURED = re.compile(_MEASURE, re.IGNORECASE)
_ASKS_MEASURE = re.compile(
    r"\bhow (?:long|tall|high|big|far|deep|wide|heavy|fast|hot|cold)\b", re.IGNORECASE
)
_LOOKED_AT_CHARS = 2_000

MUST_FIT = frozenset({Wants.TIME, Wants.NUMBER, Wants.PERSON, Wants.DEFINITION})
"""A text without the thing asked for is no answer to these."""


ABOUT_SUBJECT = frozenset({Wants.TIME, Wants.NUMBER, Wants.PLACE, Wants.REASON})
"""A text about the subject answers these without naming it: "It lies south of the equator"."""


def fits(question: Question, unit: Unit, asked: frozenset[str], opens: bool) -> bool:
    """Tell whether a unit holds what is wanted, other than what the question itself says.

    Args:
        question: the question.
        unit: the unit.
        asked: the words of the question, in lower case.
        opens: whether the unit is the first below a heading that names what is asked about.
    """
    wants = question.wants
    if wants is Wants.DEFINITION:
        return (opens and unit.form is Form.SENTENCE) or definition(unit, question) > 0
    if wants is Wants.LIST:
        return unit.form in (Form.ITEM, Form.ROW) or unit.text.count(",") > 1
    if wants is Wants.PROCEDURE and unit.form is Form.CODE:
        return True
    return holds(question, unit.text, asked)


def holds(question: Question, text: str, asked: frozenset[str]) -> bool:
    """Tell whether a text holds a date, a number, a place or whatever else is wanted."""
    pattern = _PATTERNS.get(question.wants)
    if pattern is None:
        return True
    if question.wants is Wants.NUMBER and _ASKS_MEASURE.search(question.text):
        pattern = _MEASURED
    return any(_says_more(found[0], asked) for found in pattern.finditer(text[:_LOOKED_AT_CHARS]))


def _says_more(found: str, asked: frozenset[str]) -> bool:
    """Tell whether what was found is more than words of the question: "in Kenya" may not be."""
    said = words(found)
    named = [word for word in said if not is_stopword(word)] or said
    return any(word not in asked for word in named)


_COPULA = re.compile(
    r"\b(?:is|are|was|were|means?|refers? to|stands? for|denotes?|describes?|names)\b"
    r"|(\s[\u2014\u2013-]\s|:\s)"
)
_IN_BRACKETS = re.compile(r"\([^()]{0,120}\)")
_NO_SUBJECT = re.compile(
    r"\u2192|\b(?:says?|tells?|shows?|which|that|who|when|where|if|because)\b", re.IGNORECASE
)
_HEAD_CHARS = 200


def definition(unit: Unit, question: Question) -> float:
    """Return how plainly a unit begins by saying what the question's subject is, from 0 to 1."""
    if unit.form is Form.CODE:
        return 0.0
    head = _IN_BRACKETS.sub("", unit.text[:_HEAD_CHARS])
    if unit.form is Form.ROW:
        head = head.partition(":")[2] or head
    copula = _COPULA.search(head)
    if copula is None or _NO_SUBJECT.search(head[: copula.start()]):
        return 0.0
    begins = content_stems(head[: copula.start()])
    wanted = {term.stem for term in question.terms if term.is_strong}
    if question.wants is Wants.COMPARISON:
        wanted &= set(begins)
    if not wanted or not wanted <= set(begins):
        return 0.0
    others = len(set(begins) - wanted)
    if others > (1 if copula[1] else 3) or (begins[-1] not in wanted and others > 2):
        return 0.0
    return 1 / (1 + 0.5 * others)
