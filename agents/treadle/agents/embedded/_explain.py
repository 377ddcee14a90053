"""Putting into words why a tool is called, and how far an answer goes."""

from treadle.agents.embedded._answer import Found
from treadle.agents.embedded._conversation import Conversation, Result
from treadle.agents.embedded._expression import asks_the_time, expression_in
from treadle.agents.embedded._question import Question
from treadle.agents.embedded._text import joined, short
from treadle.agents.embedded._tools import Offer, OfferedTool, Use
from treadle.agents.embedded._wants import Wants

_LOOK = {
    Use.DOCUMENTS: "search the documents",
    Use.ENCYCLOPAEDIA: "look in the encyclopaedia",
    Use.WEB: "search the web",
}


def thought(question: Question, conversation: Conversation, tool: OfferedTool, query: str) -> str:
    """Say why this tool is called with this query."""
    look = f"{_LOOK.get(tool.use, f'ask {tool.name}')} for “{query}”"
    if conversation.results:
        last = conversation.results[-1]
        outcome = "did not answer the question"
        if last.failed:
            outcome = f"failed ({short(' '.join(last.text.split()), 120)})"
        return f"{last.tool or 'The last tool'} {outcome}, so I {look}."
    about = "It leans on what was said before. " if question.leans_back else ""
    return f"{about}The question asks for {question.wants.value}, so I {look}."


_THING = {
    Wants.DEFINITION: "definition",
    Wants.PERSON: "name",
    Wants.TIME: "date",
    Wants.NUMBER: "number",
    Wants.PLACE: "place",
    Wants.REASON: "reason",
}


def hedged(found: Found, question: Question) -> str:
    """Give an answer that does not speak to the whole question, and say so."""
    if not found.missing:
        thing = "direct answer" if found.is_typed else _THING.get(question.wants, "direct answer")
        return f"I found no {thing} for this; the closest is:\n\n{found.text}"
    missing = joined([f"“{word}”" for word in found.missing[:3]], "or")
    return f"Nothing I found mentions {missing}. The closest I found is:\n\n{found.text}"


def nothing_found(question: Question, conversation: Conversation, offer: Offer) -> str:
    """Say what was not found, and where it was looked for."""
    if not question.terms:
        return "This names nothing that I could look up. Say what it is about, and I look."
    expression = expression_in(question.text)
    if expression and not conversation.results:
        return f"I cannot work out {expression}: I have no tool to calculate with."
    if asks_the_time(question.text) and not conversation.results:
        return "I cannot tell the time: I have no tool that knows it."
    about = f" about “{question.subject}”"
    searched = list(dict.fromkeys(r.tool or "a tool" for r in conversation.results if not r.failed))
    failed = {
        result.tool or "a tool": _complaint(result)
        for result in conversation.results
        if result.failed and result.tool not in searched
    }
    if searched:
        said = f"I found nothing{about} in {joined(searched)}."
    elif failed:
        said = f"I found nothing{about}."
    else:
        looked = "no tool of mine can look it up" if offer.tools else "I have no tool to look it up"
        return f"I found nothing{about} in this conversation, and {looked}."
    return said + "".join(f" {tool} failed: {text}." for tool, text in failed.items())


def _complaint(result: Result) -> str:
    text = " ".join(result.text.split()).removeprefix(f"{result.tool}: ")
    return short(text, 200).rstrip(".")


def reasoning(question: Question, known: str) -> str:
    """Write down what is asked, what is known of it, and what follows.

    Args:
        question: the question.
        known: what can be answered without a tool; empty when nothing can.
    """
    if not question.text:
        return "Nothing is asked. I am told something, so I restate it."
    terms = joined([term.word for term in question.terms])
    asked = f"1. Asked: “{short(question.text, 200)}” It asks for {question.wants.value}."
    if question.leans_back:
        asked += " It leans on the turn before."
    lines = [asked, f"2. Key terms: {terms or 'none'}."]
    expression = expression_in(question.text)
    if known:
        lines.append(f"3. Known: {short(' '.join(known.split()), 300)}")
        lines.append("4. So that is the answer. I match words: what is put otherwise escapes me.")
    elif expression:
        lines.append(f"3. It is arithmetic, {expression}, and I have no tool to calculate with.")
        lines.append("4. So I must say that I cannot work it out here.")
    else:
        lines.append("3. Known from this conversation: nothing about it.")
        lines.append("4. So I cannot answer from what I have, and say so rather than guess.")
    return "\n".join(lines)
