"""Splitting prose into sentences."""

import re

_ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof sr jr st vs e.g i.e cf al approx ca eds dept est gen gov hon rev sen rep capt
    col lt sgt z.b bzw usw op cit viz resp u.s u.k u.n d.c b.c a.d ph.d
    """.split()  # noqa: SIM905
)
_BEFORE_NUMBERS = frozenset(
    """
    no nos c p pp vol ch sec fig figs ed max min jan feb mar apr jun jul aug sep sept oct nov dec
    """.split()  # noqa: SIM905
)
_MARKS = "\"'\u201d\u2019)\\]*_`"
_END = re.compile(
    rf"(?<![.!?\u2026])([.!?\u2026]+)[{_MARKS}]*(?:\s?\[\^[a-z0-9]{{6}}\])*(?:\[\w{{1,4}}\])*(?=\s|$)"
    r"|([\u3002\uff01\uff1f]+)[\u300d\u300f\u201d]?|([\u061f\u06d4\u0964])"
)
_CARRIES_ON = re.compile(r"\s*[\u2192\u2013\u2014;,-]")
_LAST_WORD = re.compile(r"[^\s(\[\"'\u201c]+$")
_OPENS = re.compile(r"\s*[\"'\u201c\u2018(\[*_`]{0,9}([^\W_])")


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
    """Tell whether a mark stands inside a sentence: in an abbreviation, an initial or a number."""
    mark = end[1] or ""
    if mark.startswith(("!", "?")):
        return bool(_CARRIES_ON.match(text, end.end()))
    opens = _OPENS.match(text, end.end())
    following = opens[1] if opens else ""
    if mark and following.islower():
        return True
    return mark == "." and _is_short_form(text, begin, end.start(), following)


def _is_short_form(text: str, begin: int, at: int, following: str) -> bool:
    """Tell whether the word that a full stop ends is a short form rather than the last word."""
    found = _LAST_WORD.search(text, max(begin, at - 40), at)
    word = found[0] if found else ""
    if word.lower() in _BEFORE_NUMBERS:
        return following.isdigit()
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    if word.lower() in _ABBREVIATIONS:
        return bool(following)
    return word.isdigit() and at - begin < 6 and text[begin:at].strip() == word
