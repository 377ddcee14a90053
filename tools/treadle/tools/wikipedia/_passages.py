"""Choosing the parts of an article that answer a query best."""

import math
import re

from treadle.core.sources import Passage, Source
from treadle.tools.wikipedia._article import Article, Section

PASSAGES = 5
PASSAGE_CHARS = 1_500

_ASKING = """
    a about all an and any are as at be been by can could describe did do does explain find for from
    give had has have how i in into is it its list many me much of on or please s should some tell
    than that the their there these they this to was were what when where which who whom whose why
    will with would you your
"""
_FUNCTION_WORDS = frozenset(_ASKING.split())


def keywords(query: str) -> list[str]:
    """Return the words of a query that say what it is about, in their own spelling."""
    words = re.findall(r"\w+(?:[-'.]\w+)*", query)
    return [word for word in words if word.casefold() not in _FUNCTION_WORDS]


def names(query: str) -> list[str]:
    """Return the words among them that look like names."""
    return [word for word in keywords(query) if word[:1].isupper() or word[:1].isdigit()]


def best_passages(article: Article, query: str) -> list[Passage]:
    """Return the sections that match a query best; in the article's order when none does.

    The words of the title say nothing about where in the article the answer is, so they do not
    count.
    """
    title = {word.casefold() for word in keywords(article.title)}
    asked = {word.casefold() for word in keywords(query)} - title
    patterns = [_pattern(word) for word in sorted(asked)]
    weights = [_weight(pattern, article.sections) for pattern in patterns]

    def score(section: Section) -> float:
        return sum(
            weight * _strength(pattern, section)
            for pattern, weight in zip(patterns, weights, strict=True)
        )

    ranked = sorted(article.sections, key=score, reverse=True)
    return [
        Passage(_fit(section.text, patterns), Source(article.title, article.url, section.heading))
        for section in ranked[:PASSAGES]
    ]


def _pattern(word: str) -> re.Pattern[str]:
    """Match a word in its usual inflections: by its beginning."""
    if not word.isascii():
        return re.compile(re.escape(word), re.IGNORECASE)
    beginning = word[: max(4, len(word) - 3)]
    return re.compile(rf"\b{re.escape(beginning)}", re.IGNORECASE)


def _weight(pattern: re.Pattern[str], sections: tuple[Section, ...]) -> float:
    """Return more for a word that fewer sections hold."""
    holding = sum(bool(pattern.search(section.text)) for section in sections)
    return math.log(1 + len(sections) / (holding or 1))


def _strength(pattern: re.Pattern[str], section: Section) -> float:
    """Return how much a section speaks of a word, long sections at a discount."""
    count = sum(1 for _ in pattern.finditer(section.text))
    length = 1 + len(section.text) / PASSAGE_CHARS
    in_heading = 2.0 if pattern.search(section.heading.rpartition(" / ")[2]) else 0.0
    return in_heading + math.log1p(count) / math.sqrt(length)


def _fit(text: str, patterns: list[re.Pattern[str]]) -> str:
    """Cut a long section to the paragraphs around its best one."""
    if len(text) <= PASSAGE_CHARS:
        return text
    paragraphs = text.split("\n")
    scores = [sum(bool(p.search(paragraph)) for p in patterns) for paragraph in paragraphs]
    first = scores.index(max(scores))
    kept = _cut(paragraphs[first], patterns)
    for paragraph in paragraphs[first + 1 :]:
        if len(kept) + len(paragraph) >= PASSAGE_CHARS:
            break
        kept += f"\n{paragraph}"
    return f"… {kept} …" if first else f"{kept} …"


def _cut(paragraph: str, patterns: list[re.Pattern[str]]) -> str:
    """Cut a long paragraph at words, around the first match."""
    if len(paragraph) <= PASSAGE_CHARS:
        return paragraph
    places = [found.start() for p in patterns if (found := p.search(paragraph))]
    start = max(0, min(places, default=0) - PASSAGE_CHARS // 4)
    piece = paragraph[start : start + PASSAGE_CHARS]
    return piece if " " not in piece else piece[: piece.rindex(" ")]
