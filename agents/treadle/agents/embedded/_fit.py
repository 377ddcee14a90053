"""Whether a unit holds the sort of thing that is asked for."""

import re

from treadle.agents.embedded._question import Question, Wants
from treadle.agents.embedded._units import Form, Unit
from treadle.agents.embedded._words import placed_words, stem

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_PERSON = re.compile(
    r"\b(?!(?:The|This|That|These|It|In|On|At|A|An)\s)[A-Z][\w.’'-]*[ ](?:(?:van|von|de|der|di|da|of)"
    r" )?[A-Z][\w.’'-]+|\bby (?:the )?[A-Z]\w+|\b(?:team|company|engineers?|scientists?|maintainers?"
    r"|developers?|people|founders?|he|she|they)\b"
)
_TIME = re.compile(
    rf"\b(?:1\d{{3}}|20\d\d)s?\b|\b(?:{_MONTHS})\b|\b\d{{1,2}}(?:st|nd|rd|th) century"
    r"|\b(?:bc|bce|ad|ce)\b|\b(?:every|after|before|within|once|daily|hourly|nightly|weekly|at startup"
    r"|\d+ (?:seconds?|minutes?|hours?|days?|weeks?|months?|years?))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d[\d.,]*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty"
    r"|fifty|hundred|thousand|million|billion|dozen|half|twice|no limit|unlimited)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at|on|near|from|to|under|inside|through|into|along|between)\s+(?:the |your |a )?"
    r"(?:[A-Z]\w+|`?[~./\w-]*[/.][\w/.-]+|\w+ (?:folder|directory|file|table|list|city|river))|~/|`[/.]"
)
_REASON = re.compile(
    r"\b(?:because|since|so that|therefore|thus|due to|in order to|reasons?|otherwise|to avoid|caus\w+"
    r"|as a result|leads? to|led to|hence|thanks to|which means|results? (?:in|from)|so)\b",
    re.IGNORECASE,
)
_PROCEDURE = re.compile(
    r"`[^`]+`|^\W*(?:run|use|set|install|call|add|write|open|create|pass|put|press|type|copy|start"
    r"|configure|choose|select|enter|click|make|define|give|wrap|import|export|remove|delete)\b"
    r"|\bby \w+ing\b|\bfirst\b|\bthen\b|\busing\b|\bwith\b|\bwhen\b|\bthrough\b",
    re.IGNORECASE,
)
_PATTERNS = {
    Wants.PERSON: _PERSON,
    Wants.TIME: _TIME,
    Wants.NUMBER: _NUMBER,
    Wants.PLACE: _PLACE,
    Wants.REASON: _REASON,
    Wants.PROCEDURE: _PROCEDURE,
}
MUST_FIT = frozenset({Wants.TIME, Wants.NUMBER, Wants.PERSON})
"""A text without the thing asked for is no answer to these."""


def fits(wants: Wants, unit: Unit, asked: frozenset[str]) -> bool:
    """Tell whether a unit holds what is wanted, other than what the question itself says."""
    if wants is Wants.LIST:
        return unit.form in (Form.ITEM, Form.ROW) or unit.text.count(",") > 1
    if wants is Wants.PROCEDURE and unit.form is Form.CODE:
        return True
    pattern = _PATTERNS.get(wants)
    if pattern is None:
        return True
    for found in pattern.finditer(unit.text[:2_000]):
        if any(word not in asked for word, _ in placed_words(found[0])):
            return True
    return False


_COPULA = re.compile(
    r"\b(?:is|are|was|were|means?|refers? to|stands? for|denotes?|describes?|names)\b|(?:\s[—–-]\s)|:\s"
)


def is_definition(unit: Unit, question: Question) -> bool:
    """Tell whether a unit begins by saying what the subject of the question is."""
    head = unit.text[:160]
    if unit.form is Form.ROW:
        head = head.partition(":")[2] or head
    copula = _COPULA.search(head)
    if not copula:
        return False
    begins = {stem(word) for word, _ in placed_words(head[: copula.start()])}
    wanted = {term.stem for term in question.terms if term.weight > 0.3}
    return bool(wanted) and wanted <= begins and len(begins) <= len(wanted) + 6
