"""Splitting prose into sentences."""

import re

_ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof sr jr st vs etc e.g i.e cf al approx ca c no nos vol ed eds pp p fig figs inc
    ltd co corp dept est gen gov hon rev sen rep capt col lt sgt jan feb mar apr jun jul aug sep
    sept oct nov dec u.s u.k u.n d.c a.m p.m b.c a.d ph.d z.b bzw usw op cit viz resp min max
    """.split()  # noqa: SIM905
)
_END = re.compile(
    r"(?<![.!?…])[.!?…]+[\"'”’)\]*_`]*(?:\[[\w^]{1,8}\])*(?=\s+)|[。！？]+[」』”]?|[؟۔।]"
)
_CARRIES_ON = re.compile(r"\s*[\u2192\u2013\u2014;,-]")
_LAST_WORD = re.compile(r"[^\s(\[\"'“]+$")
_OPENS = re.compile(r"\s*[\"'“‘(\[*_`]{0,9}([^\W_])")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; an empty line ends a sentence too."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        found.extend(_of_paragraph(" ".join(paragraph.split())))
    return found


def _of_paragraph(text: str) -> list[str]:
    found: list[str] = []
    begin = 0
    for end in _END.finditer(text):
        if _goes_on(text, begin, end):
            continue
        if part := text[begin : end.end()].strip():
            found.append(part)
        begin = end.end()
    if rest := text[begin:].strip():
        found.append(rest)
    return found


def _goes_on(text: str, begin: int, end: re.Match[str]) -> bool:
    """Tell whether a full stop belongs to an abbreviation, an initial or a number."""
    mark = end[0][0]
    if mark not in ".…":
        return bool(_CARRIES_ON.match(text, end.end()))
    following = _OPENS.match(text, end.end())
    if following and following[1].islower():
        return True
    if mark == "…" or len(end[0].rstrip("\"'”’)]*_`")) > 1:
        return False
    word_found = _LAST_WORD.search(text, max(begin, end.start() - 40), end.start())
    word = word_found[0] if word_found else ""
    if len(word) == 1 and word.isalpha() and word.isupper() and word != "I":
        return True
    if word.lower() in _ABBREVIATIONS:
        return end.end() < len(text)
    return word.isdigit() and end.start() - begin < 6 and text[begin : end.start()].strip() == word
