"""What sort of thing would answer a question."""

import re
from enum import Enum


class Wants(Enum):
    """What sort of thing would answer a question; the value completes "it asks for …"."""

    DEFINITION = "what something is"
    PERSON = "a person or a maker"
    TIME = "a time"
    NUMBER = "a number"
    PLACE = "a place"
    REASON = "a reason"
    PROCEDURE = "how something is done"
    LIST = "a list"
    COMPARISON = "a comparison"
    OVERVIEW = "an overview"
    ANYTHING = "a fact"


_SIGNS = {
    Wants.COMPARISON: r"\b(?:compare|comparison|differences?|differ|versus|vs|better than)\b",
    Wants.OVERVIEW: (
        r"\b(?:summari[sz]e|summary|overview|digest|outline|recap|briefing|report on|research)\b"
        r"|^\W*(?:please )?(?:search|look up|find)\b|\btell me (?:more |something "
        r"|everything )?about|\bwhat do you know about"
    ),
    Wants.TIME: (
        r"\b(?:tell me|know|remember|say) when\b|^\W*(?:\w+\W+){0,2}when (?:was|did|is|were|will"
        r"|does|do|are|has|had|should)\b|^\W*when\W*$"
        r"|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bsince when\b"
    ),
    Wants.NUMBER: (
        r"\bhow (?:many|much|long|tall|high|big|large|old|far|deep|wide|heavy|fast|often|hot|cold"
        r"|small)\b|\bwhat (?:number|percentage|share|population|distance|speed|price|cost)\b"
        r"|\b(?:what(?:'s| is| was)|and) (?:the|its|their|his|her) (?:\w+ )?(?:population|height"
        r"|length|area|speed|size|number|price|cost|distance|depth|weight|age|port|limit|timeout"
        r"|elevation|temperature)\b"
    ),
    Wants.PERSON: r"\b(?:who|whom|whose)\b|\b(?:what|which) (?:person|people)\b",
    Wants.PLACE: (
        r"\bwhere\b|\b(?:what|which) (?:place|city|country|folder|directory|region|continent)\b"
    ),
    Wants.REASON: (
        r"\bwhy\b|\bhow come\b|\bwhat (?:is|was|are) the (?:reason|cause)|\bwhat causes\b"
        r"|\bfor what reason\b"
    ),
    Wants.PROCEDURE: (
        r"\bhow (?:do|does|did|can|could|should|is|are|to|was|were|would|will|exactly)\b"
        r"|\b(?:which|what) (?:command|steps?)\b"
    ),
    Wants.LIST: (
        r"^\W*list\b|\bwhat are the (?:\w+ ){0,4}\w+s\b|\b(?:what|which) (?:kinds|types|sorts) of\b"
        r"|\bname (?:the|all|some)\b"
        r"|\b(?:what|which) (?:\w+ ){0,2}\w{2,}[^s\W]s (?:are|does|do|can|exist|has|have|will)\b"
    ),
    Wants.DEFINITION: (
        r"^\W*(?:(?:and|but|so|please|hi|hello)\W+)*(?:what(?:'s| is| are| was| were)|define"
        r"|explain|describe|what do you mean by)\b|\bwhat do(?:es)? .{1,80} (?:mean|stand for)\b"
        r"|^\W*(?:was (?:ist|sind)|qu'est-ce que?|c'est quoi|qu\u00e9 (?:es|son)"
        r"|(?:che )?cos'\u00e8)\b"
    ),
}
_COMPILED = tuple((wants, re.compile(sign, re.IGNORECASE)) for wants, sign in _SIGNS.items())
_PART_OF_SOMETHING = re.compile(
    r"\bthe [\w ]+ of\b|\b(?:its|their|his|her)\b"
    r"|\b(?!what|who|where|when|how|it|that|there|let)\w+'s \w",
    re.IGNORECASE,
)
_WHO_IS_NAME = re.compile(
    r"^\W*(?:[a-z]+\W+)?[Ww]ho(?:'s| is| was| are| were) (?:[A-Z][\w.'-]*\W*)+$"
)


def wanted(text: str, term_count: int) -> Wants:
    """Return what a question wants, going by its words.

    Args:
        text: the question.
        term_count: how many strong key terms it has: a definition is asked of few.
    """
    if _WHO_IS_NAME.match(text):
        return Wants.DEFINITION
    for wants, sign in _COMPILED:
        if sign.search(text):
            is_of = wants is Wants.DEFINITION and _PART_OF_SOMETHING.search(text)
            return Wants.ANYTHING if is_of or _too_long(wants, term_count) else wants
    return Wants.ANYTHING


def _too_long(wants: Wants, term_count: int) -> bool:
    return wants is Wants.DEFINITION and term_count > 2
