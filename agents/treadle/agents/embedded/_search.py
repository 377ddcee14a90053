"""Where to look for an answer, and with which words."""

import re
from collections.abc import Collection

from treadle.agents.embedded._question import Question, Wants
from treadle.agents.embedded._tools import Offer, OfferedTool, Use

_FRESH = re.compile(
    r"\b(?:latest|newest|today|tonight|yesterday|this (?:week|month|year)|currently|right now|news"
    r"|recent(?:ly)?|weather|stock|price of|score)\b",
    re.IGNORECASE,
)
_ASKED_FOR = (
    (Use.ENCYCLOPAEDIA, re.compile(r"\b(?:wikipedia|encyclop\w+)\b", re.IGNORECASE)),
    (Use.WEB, re.compile(r"\b(?:on the (?:web|internet)|online|web search|google)\b", re.IGNORECASE)),
    (
        Use.DOCUMENTS,
        re.compile(
            r"\b(?:in|from|search|of) (?:the|my|our|your|these) (?:\w+ )?(?:docs?|documents?|documentation|files?|notes|manual)\b",
            re.IGNORECASE,
        ),
    ),
)


def choose_search(question: Question, offer: Offer, called: Collection[str]) -> OfferedTool | None:
    """Return the best search tool that was not called yet for this question."""
    order = _order(question)
    left = [tool for tool in offer.usable() if tool.use in order and tool.name not in called]
    if not query_words(question):
        return None
    return min(left, key=lambda tool: order.index(tool.use), default=None)


def _order(question: Question) -> tuple[Use, ...]:
    usual = [Use.DOCUMENTS, Use.OTHER_SEARCH, Use.ENCYCLOPAEDIA, Use.WEB]
    if question.wants is Wants.PROCEDURE or _FRESH.search(question.text):
        usual = [Use.DOCUMENTS, Use.OTHER_SEARCH, Use.WEB, Use.ENCYCLOPAEDIA]
    asked_for = [use for use, pattern in _ASKED_FOR if pattern.search(question.text)]
    return tuple(dict.fromkeys([*asked_for, *usual]))


def query_words(question: Question) -> list[str]:
    """Return the key terms, own ones first, as the person wrote them."""
    strong = [term.word for term in question.terms if term.weight > 0.3]
    return strong or [term.word for term in question.terms]


def query_for(question: Question, tool: OfferedTool) -> str:
    """Return what to search for with a tool: key terms, or the question where it wants one."""
    terms = " ".join(query_words(question))
    if tool.takes_question:
        carried = " ".join(term.word for term in question.terms if term.is_carried)
        terms = f"{question.text} ({carried})" if carried else question.text
    if len(terms) <= tool.max_chars:
        return terms
    return terms[: tool.max_chars].rsplit(" ", 1)[0]
