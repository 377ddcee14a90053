"""Answering questions about the conversation as such: what was asked, answered and cited."""

import re
from collections.abc import Sequence

from treadle.agents.embedded._conversation import Conversation, Turn
from treadle.agents.embedded._question import Question, read_question
from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._text import short
from treadle.agents.embedded._words import content_stems, stem
from treadle.core.sources import LABEL

MAX_TURNS_TOLD = 12

_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_WHICH_MESSAGE = re.compile(
    r"\b(?:what|which|repeat)\b.*\bmy (?:very )?(first|second|third|fourth|fifth|last|previous"
    r"|latest) (?:question|message)\b"
    r"|\bwhat (?:did|have) (?:i|we) (first|last|previously|just) (?:ask|say|write|talk)"
    r"|\bwhat did i (?:ask|say|write)(?: you)? (first|last|before|previously|just now|earlier)\W*$"
    r"|\bwhat was my question\b|\bwhat (?:was|is) the (first|last|previous) (?:thing|question)"
    r" (?:that )?i (?:asked|said|told|wrote)",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summari[sz]e|summary of|recap|sum up|overview of)\b.*\b(?:we|our|conversation|discussed"
    r"|discussion|talked|said|chat|so far|this thread)\b"
    r"|\bwhat (?:have|did) we (?:\w+ )?(?:discuss|talk|cover|spoke|speak|said"
    r"|say)(?:ed)?\b(?! about (?!so far|today|before|until|up to)\w)"
    r"|\bwhat (?:do you know|have i told you|did i tell you)(?: so far)?(?: about me)?\W*$"
    r"|\bwhat do you (?:know|remember) (?:about|of) me\b|\bwhat do you remember\W*$"
    r"|^\W*(?:summari[sz]e|recap|sum up)\W*$",
    re.IGNORECASE,
)
_YOUR_WORDS = re.compile(
    r"\b(?:did|have) you (?:\w+ )?(?:sa[iy]d?|tell|told|mention(?:ed)?|answer(?:ed)?|written"
    r"|found)\b"
    r"|\byou (?:\w+ )?(?:said|told me|mentioned|answered)\b"
    r"|\byour (?:first|last|previous|earlier) (?:answer|reply|message)\b"
    r"|^\W*(?:please |can you |could you )?(?:repeat|say) (?:that|it|this)(?: again)?\W*$"
    r"|\bcome again\b",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"\bwhere (?:did|do) you (?:get|find|know|read|have) (?:that|this|it)\b"
    r"|\bwhat(?:'s| is| are| was| were) (?:your|the) sources?(?: (?:of|for) (?:that|this|it))?\W*$"
    r"|\bhow do you know(?: that| this)?\W*$|\bcite your sources?\b|\bsays who\b",
    re.IGNORECASE,
)


def from_history(question: Question, conversation: Conversation) -> str:
    """Return the answer to a question about the conversation as such; nothing for another."""
    text, turns = question.text, conversation.turns
    if _SOURCES.search(text) and turns:
        return _sources(turns)
    if found := _WHICH_MESSAGE.search(text):
        return _message(next(filter(None, found.groups()), "last").lower(), turns)
    if _SUMMARY.search(text):
        return summary(conversation)
    if _YOUR_WORDS.search(text):
        return _own_words(question, turns)
    return ""


def _message(which: str, turns: Sequence[Turn]) -> str:
    said = [turn.said for turn in turns if turn.said.strip()]
    if not said:
        return "This is the first thing you ask in this conversation, as far back as I can see."
    questions = [asking for one in said if (asking := read_question(one).text)] or said
    number = _ORDINALS.get(which, -1)
    if number >= len(questions):
        return f"I can see only {len(questions)} of your questions before this one."
    word = which if which in _ORDINALS else "last"
    quoted = short(" ".join(questions[number].split()), 300)
    return f"Your {word} question, as far back as I can see, was: “{quoted}”"


def summary(conversation: Conversation) -> str:
    """Return what was said in each earlier turn, in a line each."""
    lines = [f"- I have noted: {short(note, 160)}" for note in conversation.notes[:MAX_TURNS_TOLD]]
    turns = conversation.turns
    if len(turns) > MAX_TURNS_TOLD:
        lines.append(f"- ({len(turns) - MAX_TURNS_TOLD} earlier turns are left out here)")
    for turn in turns[-MAX_TURNS_TOLD:]:
        said = " ".join(turn.said.split())
        if not said:
            continue
        if not read_question(turn.said).text:
            lines.append(f"- You told me: “{short(said, 160)}”")
            continue
        answer = next(iter(sentences(turn.answer)), "")
        answered = f" I answered: {short(answer, 240)}" if answer else ""
        lines.append(f"- You asked: “{short(said, 160)}”{answered}")
    if not lines:
        return "We have not discussed anything before this, as far back as I can see."
    return "So far in this conversation:\n" + "\n".join(lines)


_NOT_A_TOPIC = {
    stem(word) for word in ("say", "said", "tell", "told", "mention", "answer", "reply", "find")
} | {stem(word) for word in ("found", "first", "last", "previous", "earlier", "message", "again")}


def _own_words(question: Question, turns: Sequence[Turn]) -> str:
    answers = [turn.answer for turn in turns if turn.answer.strip()]
    if not answers:
        return "I have not answered anything before this, as far back as I can see."
    if re.search(r"\bfirst (?:answer|reply|message)\b", question.text, re.IGNORECASE):
        return f"My first answer was: {short(answers[0], 1_000)}"
    topic = {term.stem for term in question.own_terms} - _NOT_A_TOPIC
    if not topic:
        return f"My last answer was: {short(answers[-1], 1_000)}"
    rated = [
        (len(topic & set(content_stems(sentence))), number, -place, sentence)
        for number, answer in enumerate(answers)
        for place, sentence in enumerate(sentences(answer))
    ]
    best = sorted((one for one in rated if one[0]), reverse=True)[:2]
    if not best:
        return f"I found nothing about “{question.subject}” in what I have answered so far."
    return "I said: " + " ".join(short(one[3], 400) for one in best if one[0] == best[0][0])


def _sources(turns: Sequence[Turn]) -> str:
    last = turns[-1]
    labels = list(dict.fromkeys(found[0] for found in LABEL.finditer(last.answer)))
    titles = {
        line[:9]: line[9:].strip()
        for result in last.results
        for line in result.text.split("\n")
        if line[:9] in labels
    }
    if labels:
        named = [f"{titles.get(label, 'the source')} {label}" for label in labels]
        return f"My last answer rests on: {'; '.join(named)}."
    tools = list(dict.fromkeys(result.tool for result in last.results if result.tool))
    if tools:
        return f"My last answer rests on what {' and '.join(tools)} returned."
    return "My last answer rests on this conversation alone; I looked nothing up for it."
