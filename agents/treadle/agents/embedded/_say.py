"""What the embedded model says of its own: who it is, what it heard, what it did not find."""

import re

from treadle.agents.embedded._text import joined, sentence_end, short
from treadle.agents.embedded._tools import Offer, Use

_WHO_ARE_YOU = re.compile(
    r"\b(?:who|what)(?: exactly| kind of \w+| sort of \w+)? are you\W*(?:$|[?.!])"
    r"|\bare you (?:an? )?(?:real |actual )?(?:llm|ai|a\.i\.|language model|large language model|human"
    r"|person|robot|bot|machine|chatgpt|gpt\S*|claude|gemini|llama|program|chatbot|model|embedded model)\b"
    r"|\b(?:which|what) (?:\w+ )?(?:model|llm|ai) (?:are you|is this|am i (?:talking|speaking) (?:to|with)|do you use)\b"
    r"|\bwhat can you do\b|\bwhat(?:'s| is) your name\b|\bwho (?:made|built|created) you\b"
    r"|\bhow can you help\b|\bintroduce yourself\b|\bwhat are your (?:capabilities|limits|limitations)\b"
    r"|^\W*help\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings|hallo|bonjour|hola|ciao|servus)"
    r"(?:\W+(?:there|all|everyone|you|treadle))?\W*$",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|great|perfect|nice|cool|good|fine|super|wonderful|awesome|got it|understood"
    r"|many|very)\W+)*(?:thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|cheers|merci|danke|gracias"
    r"|ok(?:ay)?|great|perfect|nice|cool|good|fine|got it|understood|bye|goodbye)\W*$",
    re.IGNORECASE,
)
_CANNOT = re.compile(
    r"^\W*(?:(?:please|can you|could you|would you|i want you to|now)\W+)*(write|translate|draft|compose"
    r"|generate|rewrite|paraphrase|proofread|refactor|invent|imagine|draw|sing|role-?play|code|implement"
    r"|convert)\b(?!.*\b(?:summary|digest|overview|report|briefing)\b)",
    re.IGNORECASE,
)
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
    if len(text) > 400:
        return ""
    if _WHO_ARE_YOU.search(text):
        return about_itself(offer)
    if _GREETING.match(text):
        return "Hello. Ask a question, and I look for its answer."
    if _THANKS.match(text):
        return (
            "You are welcome."
            if re.search(r"th[ax]n?[kx]|merci|danke|gracias|cheers", text, re.IGNORECASE)
            else "All right."
        )
    if found := _CANNOT.match(text):
        return (
            f"I cannot {found[1].lower()} anything: I am the embedded model, which only finds and quotes "
            "text. A language model can do that; configure one with TREADLE_MODEL. "
            "Ask me what your sources say, and I look it up."
        )
    return ""


def about_itself(offer: Offer) -> str:
    """Say what the embedded model is, and what it can do with the tools on offer."""
    uses = list(
        dict.fromkeys(_LOOKING[tool.use] for tool in offer.usable() if tool.use in _LOOKING)
    )
    able = f" Here I can {joined(uses)}." if uses else " I have no tools here."
    return (
        "I am Treadle's embedded model. I am not a language model: I am a deterministic reader that "
        "chooses a search tool, picks the sentences that fit a question best and quotes them with "
        f"their sources. I do not generate text, translate or reason beyond that.{able} "
        "For a language model, set TREADLE_MODEL, for example to openai:gpt-5-mini, and its key."
    )


_FLIPS = (
    (r"\bI am\b|\bI['\u2019]m\b", "you are"),
    (r"\bI was\b", "you were"),
    (r"\bI['\u2019]ve\b", "you have"),
    (r"\bI['\u2019]ll\b", "you will"),
    (r"\bI['\u2019]d\b", "you would"),
    (r"\bI\b|\bme\b", "you"),
    (r"\bmy\b|\bour\b", "your"),
    (r"\bmine\b|\bours\b", "yours"),
    (r"\bmyself\b", "yourself"),
    (r"\bwe are\b|\bwe['\u2019]re\b|\bwe\b|\bus\b", None),
)
_ABOUT_YOU = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)


def acknowledge(statement: str) -> str:
    """Restate what the person stated, from the other side."""
    text = " ".join(statement.split())
    text = re.sub(
        r"^(?:please\s+)?(?:remember|note|keep in mind)(?:\s+that)?[\s,:]+",
        "",
        text,
        flags=re.IGNORECASE,
    )
    text = short(text, 300)
    if _ABOUT_YOU.search(text) or not re.search(
        r"\b(?:I|my|we|our|me|us|mine)\b|\bI['\u2019]", text, re.IGNORECASE
    ):
        return f"Noted: “{text}”"
    for pattern, flipped in _FLIPS:
        if flipped is None:
            text = re.sub(r"\bwe['\u2019]re\b", "you are", text, flags=re.IGNORECASE)
            text = re.sub(r"\b(?:we|us)\b", "you", text, flags=re.IGNORECASE)
        else:
            flags = 0 if pattern.startswith(r"\bI") and "me" not in pattern else re.IGNORECASE
            text = re.sub(pattern, flipped, text, flags=flags)
    if (
        not text.startswith(("I ", "I'"))
        and len(text) > 1
        and statement.lstrip()[:2].lower() in ("i ", "i'", "my", "we", "ou", "i\u2019")
    ):
        text = text[0].lower() + text[1:]
    return sentence_end(f"Noted: {text}")
