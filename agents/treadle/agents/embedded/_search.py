"""Where to look for an answer, and with which words."""

import re
from collections.abc import Collection

from treadle.agents.embedded._question import Question
from treadle.agents.embedded._tools import Offer, OfferedTool, Use
from treadle.agents.embedded._wants import Wants
from treadle.agents.embedded._words import has_unspaced

_FRESH = re.compile(
    r"\b(?:latest|newest|today|tonight|yesterday|this (?:week|month|year)|currently|right now|news"
    r"|recent(?:ly)?|weather|stock|price of|score)\b",
    re.IGNORECASE,
)
_ASKED_FOR = {
    Use.ENCYCLOPAEDIA: re.compile(r"\b(?:wikipedia|encyclop\w+)\b", re.IGNORECASE),
    Use.WEB: re.compile(r"\b(?:on the (?:web|internet)|online|web search|google)\b", re.IGNORECASE),
    Use.DOCUMENTS: re.compile(
        r"\b(?:in|from|search|of) (?:the|my|our|your|these) (?:\w+ )?"
        r"(?:docs?|documents?|documentation|files?|notes|manual)\b",
        re.IGNORECASE,
    ),
}


def choose_search(
    question: Question, offer: Offer, called: Collection[str], answered_before: str = ""
) -> OfferedTool | None:
    """Return the best search tool that was not called yet for this question.

    Args:
        question: the question.
        offer: the tools on offer.
        called: the names of the tools called for it so far.
        answered_before: the tool that answered the turn before; a question that leans on that
            turn begins with it.
    """
    if not query_words(question):
        return None
    order = _order(question)
    left = [tool for tool in offer.usable() if tool.use in order and tool.name not in called]
    if question.leans_back:
        left.sort(key=lambda tool: tool.name != answered_before)
        if left and left[0].name == answered_before:
            return left[0]
    return min(left, key=lambda tool: order.index(tool.use), default=None)


def _order(question: Question) -> tuple[Use, ...]:
    usual = [Use.DOCUMENTS, Use.OTHER_SEARCH, Use.ENCYCLOPAEDIA, Use.WEB]
    if question.wants is Wants.PROCEDURE or _FRESH.search(question.text):
        usual = [Use.DOCUMENTS, Use.OTHER_SEARCH, Use.WEB, Use.ENCYCLOPAEDIA]
    asked_for = [use for use, sign in _ASKED_FOR.items() if sign.search(question.text)]
    return tuple(dict.fromkeys([*asked_for, *usual]))


def query_words(question: Question) -> list[str]:
    """Return the key terms as the person wrote them, and the names carried over."""
    own = [term for term in question.terms if not term.is_carried and term.is_strong]
    carried = [term for term in question.terms if term.is_carried and term.weight >= 0.5]
    chosen = [*own, *carried]
    if len(chosen) < 2:  # One word finds much: those that say what kind of thing help.
        chosen = [t for t in question.terms if t in chosen or not (t.is_carried or t.is_task)]
    return [term.word for term in chosen or question.terms]


def query_for(question: Question, tool: OfferedTool) -> str:
    """Return what to search for with a tool: key terms, or the question where it wants one."""
    terms = " ".join(query_words(question))
    if has_unspaced(terms):
        terms = question.text.rstrip("?\uff1f\u3002 ")
    if tool.takes_question:
        carried = " ".join(term.word for term in question.terms if term.is_carried)
        terms = f"{question.text} ({carried})" if carried else question.text
    if len(terms) <= tool.max_chars:
        return terms
    return terms[: tool.max_chars].rsplit(" ", 1)[0]
