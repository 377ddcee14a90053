"""Finding the arithmetic and the clock questions in what a person asks."""

import re

_SPOKEN = (
    (r"\bmultiplied by\b|\btimes\b|(?<=\d)\s*x\s*(?=\d)|\u00d7", " * "),
    (r"\bdivided by\b|\u00f7|\bover\b(?=\s*\d)", " / "),
    (r"\bplus\b|\badded to\b", " + "),
    (r"\bminus\b|\u2212", " - "),
    (r"\b(?:raised )?to the power (?:of )?", " ^ "),
    (r"\bsquared\b", "^2"),
    (r"\bcubed\b", "^3"),
    (r"\bper ?cent\b", "%"),
    (r"\b(?:the )?square root of\s+(\d[\d.,]*|\([^()]{1,200}\))", r"sqrt(\1)"),
    (r"\b(?:the )?cube root of\s+(\d[\d.,]*)", r"cbrt(\1)"),
    (r"\b(?:the )?factorial of\s+(\d+)", r"factorial(\1)"),
    (r"\b(\d+)!", r"factorial(\1)"),
    (r"\bhalf of\b", "0.5 *"),
    (r"\b(?:a )?third of\b", "1/3 *"),
    (r"\b(?:a )?quarter of\b", "0.25 *"),
    (r"\b(?:twice|double)\b(?=\s*[\d(])", "2 *"),
)
_SPOKEN_COMPILED = tuple((re.compile(said, re.IGNORECASE), written) for said, written in _SPOKEN)
_OF_MANY = re.compile(
    r"\b(?:the )?(sum|total|average|mean|product|difference|maximum|max|minimum|min|gcd|lcm"
    r"|greatest common divisor|least common multiple) (?:of|between) "
    r"(-?\d[\d.]*(?:\s*(?:,\s*(?:and\s+)?|\band\b)\s*-?\d[\d.]*)+)",
    re.IGNORECASE,
)
_FUNCTION = {
    "sum": "sum",
    "total": "sum",
    "average": "mean",
    "mean": "mean",
    "maximum": "max",
    "max": "max",
    "minimum": "min",
    "min": "min",
    "gcd": "gcd",
    "lcm": "lcm",
    "greatest common divisor": "gcd",
    "least common multiple": "lcm",
}
_PIECE = re.compile(
    r"\s*(?:\d[\d,_]*(?:\.\d+)?%?|\.\d+|[-+*/^%()]|\*\*|//|(?:sqrt|cbrt|sin|cos|tan|log|log2|log10"
    r"|ln|exp|abs|round|floor|ceil|min|max|sum|mean|gcd|lcm|comb|perm|factorial|mod|hypot)(?=\s*\()"
    r"|\b(?:pi|e|tau|of)\b|,)",
    re.IGNORECASE,
)
_OPERATION = re.compile(
    r"\d\s*%?\s*[)]*\s*(?:[-+*/^]|\bof\b)\s*[(]*\s*[-+]?\s*(?:\d|[a-z]+\d*\s*\(|pi|\.)"
    r"|[a-z]\s*\(|\)\s*[-+*/^]",
    re.IGNORECASE,
)
_JUST_ASKING = re.compile(
    r"\b(?:what|whats|s|is|are|the|please|can|could|you|would|calculate|compute|evaluate|work|out"
    r"|how|much|many|does|do|equal|equals|result|value|answer|of|to|me|tell|and|so|now|then|exactly"
    r"|make|it|i|need|want|know|give|in|total|solve|sum|hi|hello|hey|ok|just|quickly|for|a|an)\b",
    re.IGNORECASE,
)
_DATE_LIKE = re.compile(r"^\s*\d{1,4}([-/.])\d{1,2}(?:\1\d{1,4})?\s*$")


def expression_in(text: str) -> str:
    """Return the arithmetic that a question asks for, or nothing when it asks for none."""
    if len(text) > 1_000 or not any(char.isdigit() for char in text):
        return ""
    spoken = _OF_MANY.sub(_call_of_many, text)
    for said, written in _SPOKEN_COMPILED:
        spoken = said.sub(written, spoken)
    best, rest = "", spoken
    at = 0
    while at < len(spoken):
        end = _run_from(spoken, at)
        if end == at:
            at += 1
            continue
        run = _balanced(spoken[at:end])
        if len(run) > len(best) and _OPERATION.search(run):
            best, rest = run, spoken[:at] + " " + spoken[end:]
        at = end
    if not best or _DATE_LIKE.match(best):
        return ""
    other_words = re.findall(r"[^\W\d_]{2,}", _JUST_ASKING.sub(" ", rest))
    return "" if len(other_words) > 1 or re.search(r"\d", rest) else best


def _call_of_many(found: re.Match[str]) -> str:
    numbers = re.findall(r"-?\d[\d.]*\d|-?\d", found[2])
    what = found[1].lower()
    if what == "product":
        return " * ".join(numbers)
    if what == "difference":
        return " - ".join(numbers)
    return f"{_FUNCTION[what]}({', '.join(numbers)})"


def _run_from(text: str, at: int) -> int:
    """Return where the arithmetic that begins at a place ends."""
    if at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        return at
    while found := _PIECE.match(text, at):
        end = found.end()
        if end < len(text) and text[end].isalpha() and text[end - 1].isalnum():
            break
        at = end
    return at


def _balanced(run: str) -> str:
    """Trim a run until it neither begins nor ends with half an operation."""
    run = run.strip()
    while run:
        trimmed = re.sub(
            r"(?:[-+*/^,(]|\bof)\s*$|^\s*(?:[*/^,)%]|of\b)\s*", "", run, flags=re.IGNORECASE
        )
        if run.count("(") < run.count(")") and run.endswith(")"):
            trimmed = run[:-1]
        elif run.count("(") > run.count(")") and run.startswith("("):
            trimmed = run[1:]
        trimmed = trimmed.strip()
        if trimmed == run:
            break
        run = trimmed
    run = " ".join(run.split())
    return run if run.count("(") == run.count(")") else ""


_CLOCK = re.compile(
    r"\bwhat(?:'s|\u2019s| is)? (?:is )?(?:the )?(?:current |local |exact )?time(?: is it"
    r"| now)?\b(?! zone|s\b| did| do| does| was)"
    r"|\bwhat (?:day|date|month|year|weekday)(?: of the week)? (?:is|do we have) (?:it|today|now)\b"
    r"|\b(?:what(?:'s|\u2019s| is) )?(?:today(?:'s|\u2019s)|the current|current) (?:date|time"
    r"|day|year|weekday)\b"
    r"|\bwhat is the (?:date|day) (?:today|now)\b|\bwhat(?:'s|\u2019s| is) the date\b"
    r"|\btime is it\b"
    r"|\bwhat (?:day|date) is today\b|\btell me the (?:time|date)\b",
    re.IGNORECASE,
)
_CITY = re.compile(
    r"\b(?:in|for|at)\s+(?:the\s+)?([A-Z][\w'\u2019.-]*(?:[ /][A-Z][\w'\u2019.-]*){0,3}"
    r"|UTC[+-]?\d{0,2})"
)
_CITY_LOWER = re.compile(
    r"\b(?:time|date|day|it|now)\b.{0,20}\b(?:in|for|at)\s+([a-z][a-z ]{2,30}?)\s*(?:now|today"
    r"|right now)?\W*$",
    re.IGNORECASE,
)


def asks_the_time(text: str) -> bool:
    """Tell whether a question asks what time or day it is."""
    return len(text) < 300 and bool(_CLOCK.search(text))


def city_in(text: str) -> str:
    """Return the city or zone a clock question names; nothing when it names none."""
    if re.search(r"\b(?:here|local time)\b", text, re.IGNORECASE):
        return "local"
    found = _CITY.search(text) or _CITY_LOWER.search(text)
    return found[1].strip(" .?!") if found else ""
