"""What the embedded model says of its own: who it is, what it heard, what it did not find."""

import re

from treadle.agents.embedded._sentences import sentences
from treadle.agents.embedded._text import joined, sentence_end, short
from treadle.agents.embedded._tools import Offer, Use

_WHO_ARE_YOU = re.compile(
    r"\b(?:who|what)(?: exactly| kind of \w+| sort of \w+)? are you\W*(?:$|[?.!])"
    r"|\bare you (?:an? )?(?:real |actual )?(?:llm|ai|a\.i\.|language model|large language model"
    r"|human"
    r"|person|robot|bot|machine|chatgpt|gpt\S*|claude|gemini|llama|program|chatbot|model"
    r"|embedded model)\b"
    r"|\b(?:which|what) (?:\w+ )?(?:model|llm|ai) (?:are you|is this|am i (?:talking"
    r"|speaking) (?:to|with)|do you use)\b"
    r"|\bwhat can you do\b|\bwhat(?:'s| is) your name\b|\bwho (?:made|built|created) you\b"
    r"|\bhow can you help\b|\bintroduce yourself\b|\bwhat are your (?:capabilities|limits"
    r"|limitations)\b"
    r"|^\W*(?:\w+\W+)?(?:(?:can|could) you )?(?:please )?help(?: me)?\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings|hallo|bonjour|hola|ciao"
    r"|servus)"
    r"(?:\W+(?:there|all|everyone|you|treadle))?\W*$",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|great|perfect|nice|cool|good|fine|super|wonderful|awesome|got it"
    r"|understood"
    r"|many|very)\W+)*(?:thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|cheers|merci|danke"
    r"|gracias"
    r"|ok(?:ay)?|great|perfect|nice|cool|good|fine|got it|understood|bye|goodbye)\W*$",
    re.IGNORECASE,
)
_CANNOT = re.compile(
    r"^\W*(?:(?:please|can you|could you|would you|i want you to|now)\W+)*(write|translate|draft"
    r"|compose"
    r"|generate|rewrite|paraphrase|proofread|refactor|invent|imagine|draw|sing|role-?play|code"
    r"|implement"
    r"|convert)\b(?!.*\b(?:summary|digest|overview|report|briefing)\b)",
    re.IGNORECASE,
)
_SAYS_THANKS = re.compile(r"thank|thx|merci|danke|gracias|cheers", re.IGNORECASE)
_MAX_SMALL_TALK_CHARS = 400
_LOOKING = {
    Use.DOCUMENTS: "search the documents",
    Use.ENCYCLOPAEDIA: "look it up in an encyclopaedia",
    Use.WEB: "search the web",
    Use.OTHER_SEARCH: "call a search tool",
    Use.CALCULATE: "calculate",
    Use.TIME: "tell the time",
}


def small_talk(message: str, offer: Offer) -> str:
    """Return the answer to what needs neither a tool nor a memory; nothing when there is none."""
    text = message.strip()
    if not any(char.isalnum() for char in text):
        return "I see no words in this message. Ask a question, and I look for its answer."
    if len(text) > _MAX_SMALL_TALK_CHARS:
        return ""
    if _WHO_ARE_YOU.search(text):
        return about_itself(offer)
    if found := _CANNOT.match(text):
        return _unable(found[1].lower())
    return _courtesy(text)


def _courtesy(text: str) -> str:
    if _GREETING.match(text):
        return "Hello. Ask a question, and I look for its answer."
    if _THANKS.match(text):
        return "You are welcome." if _SAYS_THANKS.search(text) else "All right."
    return ""


def _unable(task: str) -> str:
    return (
        f"I cannot {task} anything: I am the embedded model, which only finds and quotes text. "
        "A language model can do that; configure one with TREADLE_MODEL. "
        "Ask me what your sources say, and I look it up."
    )


def about_itself(offer: Offer) -> str:
    """Say what the embedded model is, and what it can do with the tools on offer."""
    uses = list(
        dict.fromkeys(_LOOKING[tool.use] for tool in offer.usable() if tool.use in _LOOKING)
    )
    able = f" Here I can {joined(uses)}." if uses else " I have no tools here."
    return (
        "I am Treadle's embedded model. I am not a language model: I am a deterministic reader "
        "that chooses a search tool, picks the sentences that fit a question best and quotes "
        f"them with their sources. I do not generate text, translate or reason beyond that.{able} "
        "For a language model, set TREADLE_MODEL, for example to openai:gpt-5-mini, and its key."
    )


_FLIPS = (
    (re.compile(r"\bI am\b|\bI['\u2019]m\b|\b[Ww]e are\b|\b[Ww]e['\u2019]re\b"), "you are"),
    (re.compile(r"\bI was\b"), "you were"),
    (re.compile(r"\b(?:I|[Ww]e)['\u2019]ve\b"), "you have"),
    (re.compile(r"\b(?:I|[Ww]e)['\u2019]ll\b"), "you will"),
    (re.compile(r"\b(?:I|[Ww]e)['\u2019]d\b"), "you would"),
    (re.compile(r"\bI\b|\b[Ww]e\b|\bme\b|\bus\b"), "you"),
    (re.compile(r"\b[Mm]y\b|\b[Oo]ur\b"), "your"),
    (re.compile(r"\b[Mm]ine\b|\b[Oo]urs\b"), "yours"),
    (re.compile(r"\bmyself\b|\bourselves\b"), "yourself"),
)
_ABOUT_YOU = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_ABOUT_ME = re.compile(r"\bI\b|\b(?:my|we|our|me|us|mine)\b", re.IGNORECASE)
_TO_KEEP = re.compile(
    r"^\W*(?:please\s+)?(?:remember|note|keep in mind)(?:\s+that)?[\s,:]+", re.IGNORECASE
)


def acknowledge(statement: str) -> str:
    """Restate what the person stated, from the other side."""
    text = short(_TO_KEEP.sub("", " ".join(statement.split())), 300)
    if _ABOUT_YOU.search(text) or not _ABOUT_ME.search(text):
        return f"Noted: “{text}”"
    restated = " ".join(_from_the_other_side(part) for part in sentences(text))
    if restated.startswith("You"):
        restated = f"y{restated[1:]}"
    return sentence_end(f"Noted: {restated}")


def _from_the_other_side(sentence: str) -> str:
    for said, flipped in _FLIPS:
        sentence = said.sub(flipped, sentence)
    return sentence[:1].upper() + sentence[1:] if sentence.startswith("you") else sentence
