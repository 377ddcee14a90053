"""The next step of a conversation: an answer, or one tool call with the thought behind it."""

import re
from dataclasses import dataclass

from treadle.agents.embedded._answer import Found, compose, short
from treadle.agents.embedded._conversation import Conversation, Result
from treadle.agents.embedded._expression import asks_the_time, city_in, expression_in
from treadle.agents.embedded._question import Question, read_question
from treadle.agents.embedded._reading import read
from treadle.agents.embedded._recall import recall
from treadle.agents.embedded._say import acknowledge, joined, small_talk
from treadle.agents.embedded._search import choose_search, query_for
from treadle.agents.embedded._tools import CONFIGURE_A_MODEL, Offer, OfferedTool, Use
from treadle.agents.embedded._units import units_of
from treadle.core.errors import ModelError


@dataclass(frozen=True)
class Step:
    """What the model says next.

    Attributes:
        text: the answer, or the thought beside a tool call.
        tool: the tool to call; empty for an answer.
        arguments: its arguments.
    """

    text: str
    tool: str = ""
    arguments: dict[str, str] | None = None


def decide(conversation: Conversation, offer: Offer) -> Step:
    """Return the next step.

    Raises:
        ModelError: a tool call is required and no tool can be called.
    """
    question = current_question(conversation)
    if offer.required:
        return _required_call(question, conversation, offer)
    if conversation.only_reasoning:
        return Step(reasoning(question, conversation, offer))
    if not conversation.results:
        if said := small_talk(conversation.message, offer) or recall(question, conversation):
            return Step(said)
        if not question.text:
            return Step(acknowledge(conversation.message))
        if given := _in_the_message(question):
            return Step(given.text)
    return _look_up(question, conversation, offer)


def current_question(conversation: Conversation) -> Question:
    """Return the last message's question, completed by the turns before it."""
    before: Question | None = None
    for turn in conversation.turns[-6:]:
        earlier = read_question(turn.said, before)
        before = earlier if earlier.text else _as_topic(turn.said)
    own = read_question(conversation.message)
    if own.context and own.text:
        before = _as_topic(own.context)
    return read_question(conversation.message, before)


def _as_topic(said: str) -> Question:
    """Return what a statement is about, for the question that leans on it."""
    topic = read_question(f"{short(said, 300)} ?")
    named = tuple(term for term in topic.terms if term.is_name)
    return Question(text=said, terms=named or topic.terms[:4])


def _in_the_message(question: Question) -> Found | None:
    """Answer from a text that stands in the message itself."""
    if len(question.context) < 200:
        return None
    units = units_of([Result("", question.context)])
    found = compose(read(units, question), units, question)
    return found if found and found.is_strong else None


def _look_up(question: Question, conversation: Conversation, offer: Offer) -> Step:
    may_call = not (conversation.must_finish or offer.forbidden)
    expression = expression_in(question.text)
    is_clock = asks_the_time(question.text)
    if direct := _direct_result(conversation, expression, is_clock, offer):
        return direct
    if may_call and not conversation.results:
        if expression and (tool := offer.first(Use.CALCULATE)):
            return Step(
                f"This is arithmetic, so I calculate {expression}.",
                tool.name,
                tool.arguments(expression),
            )
        if is_clock and (tool := offer.first(Use.TIME)):
            city = city_in(question.text)
            where = f" for {city}" if city else ""
            return Step(
                f"Only a clock knows the time, so I ask {tool.name}{where}.",
                tool.name,
                tool.arguments(city),
            )
    found = _read_results(question, conversation)
    if found and found.is_strong:
        return Step(found.text)
    if may_call and (tool := choose_search(question, offer, conversation.called)):
        query = query_for(question, tool)
        return Step(_thought(question, conversation, tool, query), tool.name, tool.arguments(query))
    if found:
        return Step(_hedged(found, question))
    return Step(nothing_found(question, conversation, offer))


def _direct_result(
    conversation: Conversation, expression: str, is_clock: bool, offer: Offer
) -> Step | None:
    """Answer with what a calculator or a clock returned."""
    uses = {tool.name: tool.use for tool in offer.tools}
    for result in conversation.results:
        use = uses.get(result.tool, Use.NONE)
        if use not in (Use.CALCULATE, Use.TIME) and not (
            (expression and "calc" in result.tool) or (is_clock and "time" in result.tool)
        ):
            continue
        text = result.text.strip()
        if result.failed:
            return Step(f"{result.tool} could not answer: {short(text, 400)}")
        lines = text.split("\n")
        if use is Use.TIME and len(lines) > 1:
            text = lines[-1]
        return Step(text if text.endswith((".", "!", "?", ")")) else f"{text}.")
    return None


def _read_results(question: Question, conversation: Conversation) -> Found | None:
    results = conversation.results
    said = ""
    if question.asks_more and conversation.turns:
        said = conversation.turns[-1].answer
    if not results:
        return None
    units = units_of(results)
    return compose(read(units, question), units, question, said)


def _hedged(found: Found, question: Question) -> str:
    missing = (
        f"Nothing I found mentions {joined([f'“{word}”' for word in found.missing[:3]], 'or')}. "
        if found.missing
        else ""
    )
    lead = "The closest I found is:" if missing else "I found no direct answer; the closest is:"
    return f"{missing}{lead}\n\n{found.text}"


def _thought(question: Question, conversation: Conversation, tool: OfferedTool, query: str) -> str:
    where = {
        Use.DOCUMENTS: "search the documents",
        Use.ENCYCLOPAEDIA: "look in the encyclopaedia",
        Use.WEB: "search the web",
    }.get(tool.use, f"ask {tool.name}")
    if conversation.results:
        last = conversation.results[-1]
        why = f"{last.tool or 'The last tool'} " + (
            f"failed ({short(last.text.strip(), 120)})"
            if last.failed
            else "did not answer the question"
        )
        return f"{why}, so I {where} for “{query}”."
    about = "It leans on what was said before. " if question.leans_back else ""
    return f"{about}The question asks for {question.wants.value}, so I {where} for “{query}”."


def nothing_found(question: Question, conversation: Conversation, offer: Offer) -> str:
    """Say what was not found, and where it was looked for."""
    about = f" about {question.subject}" if question.subject else " that answers this"
    searched = list(dict.fromkeys(r.tool or "a tool" for r in conversation.results if not r.failed))
    failed = {
        r.tool or "a tool": short(" ".join(r.text.split()), 200)
        for r in conversation.results
        if r.failed
    }
    if not searched and not failed:
        return f"I found nothing{about} in this conversation, and " + (
            "no tool of mine can look it up."
            if offer.usable() or offer.tools
            else "I have no tool to look it up."
        )
    said = (
        f"I found nothing{about} in {joined(searched)}." if searched else f"I found nothing{about}."
    )
    said += "".join(
        f" {tool} failed: {text.rstrip('.')}."
        for tool, text in failed.items()
        if tool not in searched
    )
    return said


def reasoning(question: Question, conversation: Conversation, offer: Offer) -> str:
    """Write down what is asked, what is known of it, and what follows."""
    if not question.text:
        message = short(" ".join(conversation.message.split()), 200)
        return f"Nothing is asked: “{message}” tells me something. I restate it, so that it is on record."
    terms = joined([term.word for term in question.terms])
    lines = [f"1. Asked: “{short(question.text, 200)}”, which is {question.wants.value}."]
    if question.leans_back:
        lines[0] += " It leans on the turn before."
    lines.append(f"2. Key terms: {terms or 'none'}.")
    known = small_talk(conversation.message, offer) or recall(question, conversation)
    given = None if known else _in_the_message(question)
    expression = expression_in(question.text)
    if known or given:
        lines.append(f"3. Known: {short(known or given.text if given else known, 300)}")
        lines.append(
            "4. So the answer follows from that. I match words; a meaning put otherwise may escape me."
        )
    elif expression:
        lines.append(f"3. This is arithmetic: {expression}. I cannot calculate without a tool.")
        lines.append("4. So I must say that I cannot work it out here.")
    else:
        lines.append("3. Known from this conversation: nothing about it.")
        lines.append("4. So I cannot answer from what I have, and must say so rather than guess.")
    return "\n".join(lines)


def _required_call(question: Question, conversation: Conversation, offer: Offer) -> Step:
    text = question.text or conversation.message
    expression = expression_in(text)
    tools = [tool for tool in offer.tools if not offer.named or tool.name == offer.named]
    if not offer.named:
        usable = offer.usable()
        best = (
            (offer.first(Use.CALCULATE) if expression else None)
            or (offer.first(Use.TIME) if asks_the_time(text) else None)
            or choose_search(question, offer, conversation.called)
            or choose_search(question, offer, ())
        )
        tools = [best] if best else list(usable or offer.tools)
    tool = tools[0]
    if tool.use is Use.CALCULATE:
        argument = expression or short(text, 200)
    elif tool.use is Use.TIME:
        argument = city_in(text)
    else:
        argument = query_for(question, tool)
    if tool.needs_argument and not argument:
        argument = re.sub(r"\s+", " ", conversation.message).strip()[: tool.max_chars]
    if tool.needs_argument and not argument:
        raise ModelError(
            f"The embedded model has nothing to call {tool.name} with: the message is empty.",
            hint=CONFIGURE_A_MODEL,
        )
    return Step(
        f"A tool call is required, so I call {tool.name}.", tool.name, tool.arguments(argument)
    )
