"""Answering from the conversation itself."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treadle.agents.embedded._answer import short
from treadle.agents.embedded._conversation import Conversation, Turn
from treadle.agents.embedded._question import Question, Wants, asks, read_question
from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._words import KINDS_OF_THING, SYNONYMS, content_stems, stem

MAX_TURNS_TOLD = 12

_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_WHICH_MESSAGE = re.compile(
    r"\b(?:what|which|repeat)\b.*\bmy (?:very )?(first|second|third|fourth|fifth|last|previous"
    r"|latest) (?:question|message)\b|\bwhat (?:did|have) (?:i|we) (first|last|previously|just)"
    r" (?:ask|say|write|talk)|\bwhat did i (?:ask|say|write)(?: you)? (first|last|before|previously"
    r"|just now|earlier)\W*$|\bwhat (?:was|is) the (first|last|previous) (?:thing|question)"
    r" (?:that )?i (?:asked|said|told|wrote)",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summari[sz]e|summary of|recap|sum up|overview of)\b.*\b(?:we|our|conversation|discussed"
    r"|discussion|talked|said|chat|so far|this thread|everything)\b|\bwhat (?:have|did) we (?:\w+ )?"
    r"(?:discuss|talk|cover|spoke|speak|said|say)|\bwhat (?:do you know|have i told you|did i tell you)"
    r"(?: so far)?(?: about me)?\W*$|\bwhat do you (?:know|remember) (?:about|of) me\b"
    r"|\bwhat do you remember\W*$",
    re.IGNORECASE,
)
_MY_WORDS = re.compile(
    r"\b(?:did|have|had) i (?:\w+ )?(?:sa[iy]d?|tell|told|mention(?:ed)?|ask(?:ed)?|wr[io]te?|call(?:ed)?"
    r"|describe[d]?|claim(?:ed)?|give|given|note[d]?)\b|\bi (?:\w+ )?(?:said|told you|mentioned|wrote|asked)\b"
    r"|\bremind me\b|\bdo you (?:still )?(?:remember|recall|know) (?:what |which |where |when |who |how )?"
    r"(?:my|i|our|we)\b|\b(?:as|like) i said\b",
    re.IGNORECASE,
)
_YOUR_WORDS = re.compile(
    r"\b(?:did|have) you (?:\w+ )?(?:sa[iy]d?|tell|told|mention(?:ed)?|answer(?:ed)?|write|written|found"
    r"|find)\b|\byou (?:\w+ )?(?:said|told me|mentioned|answered)\b|\byour (?:first|last|previous|earlier)"
    r" (?:answer|reply|message)\b|^\W*(?:please )?(?:repeat|say) (?:that|it|this)(?: again)?\W*$|\bcome again\b",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"\b(?:where (?:did|do) you (?:get|find|know|read|have) (?:that|this|it)|what(?:'s| is| are| was| were)"
    r" (?:your|the) sources?|which sources?|how do you know(?: that| this)?\W*$|cite your|says who)\b",
    re.IGNORECASE,
)
_ABOUT_ME = re.compile(r"\b(?:my|mine|our|ours|i|i'm|we|me|us)\b", re.IGNORECASE)
_ADVICE = re.compile(
    r"\b(?:how|what|where|when|which|why|who)\b[^.?!]{0,40}\b(?:do|does|can|could|should|must|would"
    r"|may|might|shall|will|need)\s+(?:i|we)\b|^\W*(?:can|could|should|may|must|do|would|shall) (?:i|we)\b"
    r"|\b(?:help|tell|show|give|let) (?:me|us)\b|\bi (?:want|need|would like)\b",
    re.IGNORECASE,
)
_MY_DOING = re.compile(
    r"\b(?:do|does|am|was|did|have|are|were|will)\s+(?:i|we)\s+(?:\w+\s+){0,3}?(?:use|using|run|running"
    r"|deploy|deploying|plan|planning|work|working|live|living|like|prefer|want|have|own|study|studying"
    r"|going|build|building|drive|eat|buy|choose|chose|decide|need)\b|\b(?:who|how old|where) am i\b",
    re.IGNORECASE,
)
_NAME_ASKED = re.compile(r"\bmy (?:\w+ )?name\b|\bwho am i\b|\bwhat am i called\b", re.IGNORECASE)
_NAME_TOLD = re.compile(
    r"\b(?:[Mm]y name(?: is|'s)|I am|I'm|I’m|[Cc]all me|[Tt]his is|[Nn]ame's) (?:called )?([A-Z][\w’'-]+)"
)


@dataclass(frozen=True)
class Quote:
    """A sentence of the conversation.

    Attributes:
        text: the sentence.
        speaker: ``"You said"``, ``"I said"`` or ``"I have noted"``.
        turn: the number of its turn; -1 for a note from before.
    """

    text: str
    speaker: str
    turn: int


def recall(question: Question, conversation: Conversation) -> str:
    """Return the answer the conversation holds, or nothing when it must come from elsewhere."""
    text, turns = question.text, conversation.turns
    if not text:
        return ""
    if _SOURCES.search(text) and turns:
        return _sources(turns)
    if found := _WHICH_MESSAGE.search(text):
        return _message(next(filter(None, found.groups())).lower(), turns)
    if _SUMMARY.search(text):
        return summary(conversation)
    if _YOUR_WORDS.search(text):
        return _own_words(question, turns)
    return _told(question, conversation)


def _told(question: Question, conversation: Conversation) -> str:
    """Answer from what the person said, now or before."""
    text = question.text
    asks_for_words = bool(_MY_WORDS.search(text))
    is_personal = asks_for_words or bool(
        _ABOUT_ME.search(text) and (not _ADVICE.search(text) or _MY_DOING.search(text))
    )
    quotes = list(_statements(question, conversation))
    best = quoted_about(question, quotes, is_personal)
    if best:
        return _say(best, text)
    if asks_for_words or (
        is_personal and re.search(r"\b(?:my|mine|i)\b", text, re.IGNORECASE) and _is_private(text)
    ):
        return _not_told(question, quotes)
    return ""


def _is_private(text: str) -> bool:
    """Tell whether only the person can know the answer."""
    return bool(
        re.search(
            r"^\W*(?:and |so )?(?:what(?:'s| is| was| are)|who(?: is|'s)|where(?: is| are)|when(?: is|'s)) my\b",
            text,
            re.IGNORECASE,
        )
        or _MY_DOING.search(text)
    )


def quoted_about(question: Question, quotes: Sequence[Quote], is_personal: bool) -> list[Quote]:
    """Return what was said about the question, the best and latest first; at most two."""
    if _NAME_ASKED.search(question.text):
        named = [quote for quote in quotes if _NAME_TOLD.search(quote.text)]
        if named and not _other_possession(question.text):
            return [named[-1]]
    if (
        question.wants in (Wants.PROCEDURE, Wants.REASON, Wants.OVERVIEW, Wants.COMPARISON)
        and not is_personal
    ):
        return []
    if question.wants is Wants.DEFINITION and not is_personal:
        return []
    terms = {t.stem for t in question.own_terms} - _SAYING
    kinds = {t.stem for t in question.own_terms if t.word.lower() in KINDS_OF_THING} | _type_words(
        question.text
    )
    needed = terms - kinds or terms
    if not needed:
        return []
    rated: list[tuple[float, int, int, Quote]] = []
    for quote in quotes:
        stems = set(content_stems(quote.text))
        met = {one for one in needed if one in stems or SYNONYMS.get(one, frozenset()) & stems}
        if not met or stems <= terms:
            continue
        share = len(met) / len(needed)
        if share >= (0.34 if is_personal else 1.0) and (is_personal or len(met) > 1):
            rated.append((len(met) + 0.5 * len(stems & kinds), quote.turn, len(rated), quote))
    rated.sort(key=lambda one: one[:3], reverse=True)
    if not rated:
        return []
    top = rated[0][0]
    return [quote for rating, _, _, quote in rated[:2] if rating == top]


_SAYING = {
    stem(word)
    for word in ["say", "said", "told", "mention", "ask", "remember", "recall", "remind", "earlier", "before", "previously", "know", "call", "name", "tell", "write", "wrote"]
} - {stem("name")}
_TYPE_WORD = re.compile(r"\b(?:which|what) ((?:[a-z]+ )?[a-z]+)\b", re.IGNORECASE)


def _type_words(text: str) -> set[str]:
    return {one for found in _TYPE_WORD.finditer(text) for one in content_stems(found[1])}


def _other_possession(text: str) -> bool:
    """Tell whether the name of something else is asked for: "my dog's name"."""
    found = re.search(r"\bmy (\w+(?:'s|’s|s)?) name\b|\bname of my\b", text, re.IGNORECASE)
    return found is not None and (found[1] or "of").lower() not in {
        "first",
        "last",
        "full",
        "own",
        "user",
    }


def _statements(question: Question, conversation: Conversation) -> Iterator[Quote]:
    """Yield what the person stated, oldest first."""
    for note in conversation.notes:
        yield Quote(note, "I have noted", -1)
    for number, turn in enumerate(conversation.turns):
        for sentence in sentences(turn.said):
            if not asks(sentence):
                yield Quote(sentence, "You said", number)
    for sentence in sentences(question.context):
        yield Quote(sentence, "You said", len(conversation.turns))


def _say(quotes: Sequence[Quote], text: str) -> str:
    said = " ".join(f"{quote.speaker}: “{short(quote.text, 300)}”" for quote in quotes)
    return f"Yes. {said}" if re.match(r"^\W*(?:did|have) i\b", text, re.IGNORECASE) else said


def _not_told(question: Question, quotes: Sequence[Quote]) -> str:
    about = f" about {question.subject}" if question.subject else ""
    said = f"I found nothing{about} in what you have told me in this conversation."
    latest = [quote for quote in quotes if quote.speaker == "You said"][-3:]
    if not latest:
        return said
    return f"{said} What you did tell me: " + " ".join(f"“{short(q.text, 200)}”" for q in latest)


def _message(which: str, turns: Sequence[Turn]) -> str:
    asked = [turn.said for turn in turns if turn.said.strip()]
    if not asked:
        return "This is the first thing you ask in this conversation, as far as I can see."
    questions = [said for said in asked if read_question(said).text] or asked
    number = _ORDINALS.get(which, -1)
    if number >= len(questions):
        return f"You have asked only {len(questions)} before this, as far as I can see."
    word = which if which in _ORDINALS else "last"
    return f"Your {word} question, as far back as I can see, was: “{short(questions[number].strip(), 300)}”"


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
        return "We have not discussed anything before this, as far as I can see."
    return "So far in this conversation:\n" + "\n".join(lines)


def _own_words(question: Question, turns: Sequence[Turn]) -> str:
    answers = [turn.answer for turn in turns if turn.answer.strip()]
    if not answers:
        return "I have not answered anything before this, as far as I can see."
    if re.search(r"\bfirst (?:answer|reply|message)\b", question.text, re.IGNORECASE):
        return f"My first answer was: {short(answers[0], 1_000)}"
    own = (
        {term.stem for term in question.own_terms}
        - _SAYING
        - {stem("answer"), stem("reply"), stem("found"), stem("last"), stem("previous")}
    )
    if not own:
        return f"My last answer was: {short(answers[-1], 1_000)}"
    rated = [
        (len(own & set(content_stems(sentence))), number, -place, sentence)
        for number, answer in enumerate(answers)
        for place, sentence in enumerate(sentences(answer))
    ]
    best = sorted((one for one in rated if one[0]), reverse=True)[:2]
    if not best:
        return f"I found nothing about {question.subject} in what I have answered so far."
    return "I said: " + " ".join(short(one[3], 400) for one in best if one[0] == best[0][0])


def _sources(turns: Sequence[Turn]) -> str:
    last = turns[-1]
    labels = list(dict.fromkeys(re.findall(r"\[\^[a-z0-9]{6}\]", last.answer)))
    heads = {
        line[:9]: line[9:].strip()
        for result in last.results
        for line in result.text.split("\n")
        if line[:9] in labels
    }
    if labels:
        return (
            "My last answer rests on: "
            + "; ".join(f"{heads.get(label, 'the source')} {label}" for label in labels)
            + "."
        )
    tools = list(dict.fromkeys(result.tool for result in last.results if result.tool))
    if tools:
        return f"My last answer rests on what {' and '.join(tools)} returned."
    return "My last answer rests on this conversation alone; I looked nothing up for it."
