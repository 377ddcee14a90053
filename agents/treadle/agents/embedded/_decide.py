"""The next step of a conversation: an answer, or one tool call with the thought behind it."""

from dataclasses import dataclass

from treadle.agents.embedded._answer import Found, compose
from treadle.agents.embedded._conversation import Conversation, Result
from treadle.agents.embedded._explain import hedged, nothing_found, reasoning, thought
from treadle.agents.embedded._expression import asks_the_time, city_in, expression_in
from treadle.agents.embedded._question import Question, read_question
from treadle.agents.embedded._reading import read
from treadle.agents.embedded._recall import recall
from treadle.agents.embedded._say import acknowledge, small_talk
from treadle.agents.embedded._search import choose_search, query_for
from treadle.agents.embedded._terms import key_terms
from treadle.agents.embedded._text import sentence_end, short
from treadle.agents.embedded._tools import CONFIGURE_A_MODEL, Offer, OfferedTool, Use
from treadle.agents.embedded._units import units_of
from treadle.core.errors import ModelError

MAX_TURNS_LEANT_ON = 6
MIN_TEXT_CHARS = 200
"""A message that brings this much text with its question is read like a document."""


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
    known = "" if conversation.results else _known(question, conversation, offer)
    if conversation.only_reasoning:
        return Step(reasoning(question, known))
    if known:
        return Step(known)
    return (
        _from_calculator_or_clock(question, conversation, offer)
        or _call_calculator_or_clock(question, conversation, offer)
        or _look_up(question, conversation, offer)
    )


def current_question(conversation: Conversation) -> Question:
    """Return the last message's question, completed by the turns before it."""
    before: Question | None = None
    for turn in conversation.turns[-MAX_TURNS_LEANT_ON:]:
        earlier = read_question(turn.said, before)
        before = earlier if earlier.text else _as_topic(turn.said)
    question = read_question(conversation.message, before)
    if question.text and question.context and question.leans_back:
        topic = _as_topic(question.context)
        return read_question(conversation.message, topic if topic.terms else before)
    return question


def _as_topic(said: str) -> Question:
    """Return what a statement is about, for the question that leans on it."""
    terms = key_terms(short(said, 300))
    names = tuple(term for term in terms if term.is_name)
    return Question(text=said, terms=names[:2] or terms[:4])


def _known(question: Question, conversation: Conversation, offer: Offer) -> str:
    """Return what can be said without a tool; nothing when it takes one."""
    if said := small_talk(conversation.message, offer) or recall(question, conversation):
        return said
    if not question.text:
        return acknowledge(conversation.message)
    if len(question.context) < MIN_TEXT_CHARS:
        return ""
    found = _read(question, (Result("", question.context),))
    return found.text if found and found.is_strong else ""


def _read(question: Question, results: tuple[Result, ...], already_said: str = "") -> Found | None:
    units = units_of(results)
    return compose(read(units, question), units, question, already_said)


def _from_calculator_or_clock(
    question: Question, conversation: Conversation, offer: Offer
) -> Step | None:
    """Answer with what a calculator or a clock returned."""
    uses = {tool.name: tool.use for tool in offer.tools}
    asked = {Use.CALCULATE: expression_in(question.text), Use.TIME: asks_the_time(question.text)}
    for result in conversation.results:
        use = uses.get(result.tool, Use.NONE)
        if not asked.get(use):
            continue
        text = result.text.strip()
        if result.failed or not text:
            return Step(f"{result.tool} gave no answer: {sentence_end(short(text, 400))}")
        return Step(sentence_end(text.split("\n")[-1] if use is Use.TIME else text))
    return None


def _may_call(conversation: Conversation, offer: Offer) -> bool:
    return not (conversation.must_finish or offer.forbidden)


def _call_calculator_or_clock(
    question: Question, conversation: Conversation, offer: Offer
) -> Step | None:
    if conversation.results or not _may_call(conversation, offer):
        return None
    expression = expression_in(question.text)
    if expression and (tool := offer.first(Use.CALCULATE)):
        why = f"This is arithmetic, so I calculate {expression}."
        return Step(why, tool.name, tool.arguments(expression))
    if asks_the_time(question.text) and (tool := offer.first(Use.TIME)):
        city = city_in(question.text)
        why = f"Only a clock knows the time, so I ask {tool.name}{city and f' for {city}'}."
        return Step(why, tool.name, tool.arguments(city))
    return None


def _look_up(question: Question, conversation: Conversation, offer: Offer) -> Step:
    """Answer from what the search tools returned, or call the next one."""
    last = conversation.turns[-1] if conversation.turns else None
    already_said = last.answer if last and question.asks_more else ""
    found = _read(question, conversation.results, already_said)
    if found and found.is_strong:
        return Step(found.text)
    if _may_call(conversation, offer):
        answered_before = last.results[-1].tool if last and last.results else ""
        if tool := choose_search(question, offer, conversation.called, answered_before):
            query = query_for(question, tool)
            why = thought(question, conversation, tool, query)
            return Step(why, tool.name, tool.arguments(query))
    if not found and last and question.leans_back:
        found = _read(question, last.results, already_said)
    return Step(hedged(found, question) if found else nothing_found(question, conversation, offer))


def _required_call(question: Question, conversation: Conversation, offer: Offer) -> Step:
    """Call a tool because one must be called.

    Raises:
        ModelError: it needs a text, and the message holds none.
    """
    text = question.text or conversation.message
    tool = _tool_to_call(question, text, conversation, offer)
    if tool.use is Use.TIME:
        argument = city_in(text)
    elif tool.use is Use.CALCULATE:
        argument = expression_in(text) or short(text, tool.max_chars)
    else:
        argument = query_for(question, tool)
    argument = argument or " ".join(conversation.message[: 4 * tool.max_chars].split())
    if tool.needs_argument and not argument:
        raise ModelError(
            f"The embedded model has nothing to call {tool.name} with: the message is empty.",
            hint=CONFIGURE_A_MODEL,
        )
    why = f"A tool call is required, so I call {tool.name}."
    return Step(why, tool.name, tool.arguments(argument))


def _tool_to_call(
    question: Question, text: str, conversation: Conversation, offer: Offer
) -> OfferedTool:
    if offer.named:
        return next(tool for tool in offer.tools if tool.name == offer.named)
    calculator = offer.first(Use.CALCULATE) if expression_in(text) else None
    clock = offer.first(Use.TIME) if asks_the_time(text) else None
    search = choose_search(question, offer, conversation.called)
    again = choose_search(question, offer, ())
    return calculator or clock or search or again or next(iter(offer.usable() or offer.tools))
