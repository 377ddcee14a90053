"""Answers with something invented in them, and honest ones, from a seeded generator."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.runtime.citations.articles import ARTICLES, Article

MARKS = [
    "\u201c{}\u201d",
    '"{}"',
    "\u00ab{}\u00bb",
    "\u2018{}\u2019",
    "\u201e{}\u201c",
    "\n\n> {}\n\n",
]
_FIGURE = re.compile(r"(?<![\w.,])\d[\d.,\u2019' ]*\d(?!\w)|(?<![\w.,])\d(?!\w)")
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Answer:
    """An answer of the generator.

    Attributes:
        text: the answer.
        kind: what is invented: ``link``, ``quote`` or ``number``.
        invented: the invented part as it stands in the text.
    """

    text: str
    kind: str = ""
    invented: str = ""


def honest(seed: int) -> Iterator[Answer]:
    """Yield answers that say only what the articles say, in many forms."""
    chance = random.Random(seed)
    while True:
        parts = [_honest_part(chance, chance.choice(ARTICLES)) for _ in range(chance.randint(1, 4))]
        yield Answer(_arranged(chance, parts))


def fabricated(seed: int) -> Iterator[Answer]:
    """Yield answers with one invention each, among honest sentences."""
    chance = random.Random(seed)
    makers = [_altered_number, _altered_date, _altered_quote, _invented_link]
    while True:
        made = chance.choice(makers)(chance, chance.choice(ARTICLES))
        if made is None:
            continue
        part, kind, invented = made
        parts = [_honest_part(chance, chance.choice(ARTICLES)) for _ in range(chance.randint(0, 3))]
        parts.insert(chance.randint(0, len(parts)), part)
        yield Answer(_arranged(chance, parts), kind, invented)


def _honest_part(chance: random.Random, article: Article) -> str:
    fact = chance.choice(article.facts)
    kind = chance.random()
    if kind < 0.6:
        return f"{chance.choice([fact.sentence, *fact.others])} {article.label}"
    if kind < 0.85:
        return _quoted(chance, _retyped(chance, _excerpt(chance, fact.sentence)), article)
    if article.links:
        return _linked(chance, chance.choice([*article.links, article.source.uri]), article)
    return f"{fact.sentence}{article.label}"


def _excerpt(chance: random.Random, sentence: str, gap_share: float = 0.5) -> str:
    """Return some words of a sentence that follow each other, perhaps with a gap."""
    words = re.sub("[\u201c\u201d]", "", sentence).split()
    first = chance.randint(0, max(0, len(words) - 6))
    last = chance.randint(min(len(words), first + 5), len(words))
    taken = words[first:last]
    if len(taken) > 8 and chance.random() < gap_share:
        gap = chance.choice(["\u2026", "...", "[\u2026]", "[...]"])
        return " ".join([*taken[:4], gap, *taken[6:]])
    return " ".join(taken)


def _retyped(chance: random.Random, text: str) -> str:
    for change in (
        lambda said: said.replace("'", "\u2019"),
        lambda said: said.replace(" ", "  ", 1),
        lambda said: said[0].swapcase() + said[1:],
        lambda said: said.rstrip(".,") + chance.choice([".", ",", ""]),
        lambda said: said.replace(" ", "\n", 1),
        lambda said: said.replace(" of ", " *of* "),
    ):
        if chance.random() < 0.3:
            text = change(text)
    return text


def _quoted(chance: random.Random, text: str, article: Article) -> str:
    marks = chance.choice(MARKS)
    if marks.startswith("\n"):
        text = text.replace("\n", " ")
    before = chance.choice(["The source says: ", f"As {article.source.title} has it, ", ""])
    return f"{before}{marks.format(text)} {article.label}"


def _linked(chance: random.Random, link: str, article: Article) -> str:
    if "://" not in link:
        return f"See [{article.source.title}]({link}) {article.label}"
    spelled = chance.choice(
        [
            link,
            link.replace("https", "http", 1),
            link.replace("https://", "https://www.", 1) if "www." not in link else link,
            f"{link.partition('?')[0].rstrip('/')}/" if "=2" not in link else link,
            link.partition("#")[0],
            f"{link.partition('#')[0]}#section",
        ]
    )
    form = chance.choice(["[this page]({})", "<{}>", "{}", "[{0}]({0})", "({})", "{}."])
    return f"More at {form.format(spelled)} {article.label}"


def _altered_number(chance: random.Random, article: Article) -> tuple[str, str, str] | None:
    fact = chance.choice(article.facts)
    sentence = chance.choice([fact.sentence, *fact.others])
    found = [match for match in _FIGURE.finditer(sentence) if not _is_of_date(sentence, match)]
    if not found:
        return None
    match = chance.choice(found)
    digits = list(match[0])
    places = [at for at, char in enumerate(digits) if char.isdigit()]
    if len(places) > 3 and chance.random() < 0.2:
        digits = [*digits, "0"]  # ten times as much, or a different grouping
    else:
        at = chance.choice(places)
        digits[at] = chance.choice([one for one in "123456789" if one != digits[at]])
    changed = "".join(digits)
    if changed.rstrip("0") == match[0].rstrip("0") and "." in changed:
        return None  # It means the same.
    text = sentence[: match.start()] + changed + sentence[match.end() :]
    return f"{text} {article.label}", "number", changed


def _is_of_date(sentence: str, match: re.Match[str]) -> bool:
    around = sentence[max(0, match.start() - 14) : match.end() + 14]
    return any(month in around for month in [*_MONTHS, "Nov."]) or "-" in around or ":" in around


def _altered_date(chance: random.Random, article: Article) -> tuple[str, str, str] | None:
    fact = chance.choice(article.facts)
    sentence = chance.choice([fact.sentence, *fact.others])
    months = [month for month in _MONTHS if re.search(rf"\b{month}\b", sentence)]
    if not months:
        return None
    month = chance.choice(months)
    other = chance.choice([one for one in _MONTHS if one not in months and one != "May"])
    if chance.random() < 0.5:
        return f"{sentence.replace(month, other)} {article.label}", "number", other
    year = re.search(r"\b[12]\d{3}\b", sentence)
    if year is None or "-" in sentence:
        return None
    changed = str(int(year[0]) + chance.choice([-30, -7, 9, 60]))
    return f"{sentence.replace(year[0], changed)} {article.label}", "number", changed


def _altered_quote(chance: random.Random, article: Article) -> tuple[str, str, str] | None:
    words = _excerpt(chance, chance.choice(article.facts).sentence, 0).split()
    plain = [
        at for at, word in enumerate(words) if word.isalpha() and at not in (0, len(words) - 1)
    ]
    if len(words) < 5 or not plain:
        return None
    at = chance.choice(plain)
    change = chance.randint(0, 3)
    if change == 0:
        words[at] = chance.choice(["never", "green", "however", "Napoleon", "whales"])
    elif change == 1:
        words.insert(at, "not")
    elif change == 2:
        del words[at]
    else:
        words[at : at + 1] = ["arguably", words[at], "indeed"]
    text = " ".join(words)
    return _quoted(chance, text, article), "quote", text


def _invented_link(chance: random.Random, article: Article) -> tuple[str, str, str]:
    real = chance.choice([*article.links, article.source.uri])
    if "://" not in real:
        link = chance.choice(["docs/secrets.md", "guide/tools.md", f"{real}x"])
        return f"See [the page]({link}) {article.label}", "link", link
    scheme, _, rest = real.partition("://")
    host, _, path = rest.partition("/")
    path = path.partition("?")[0].partition("#")[0]
    link = chance.choice(
        [
            f"{scheme}://{host}/{path}_history",
            f"{scheme}://{host}/{path}?page=9",
            f"{scheme}://{host}x.org/{path}",
            f"https://doi.org/10.1000/{chance.randint(100, 999)}",
            f"https://{host}.evil.com/{path}",
            f"www.{article.source.title.split()[-1].lower()}-facts.com/about",
            f"journal-of-{article.source.title.split()[-1].lower()}.org",
        ]
    )
    form = chance.choice(["[this page]({})", "<{}>", "{}", "({})", "{}.", "![a picture]({})"])
    return f"More at {form.format(link)} {article.label}", "link", link


def _arranged(chance: random.Random, parts: list[str]) -> str:
    form = chance.randint(0, 4)
    if form == 0 and not any("\n\n>" in part for part in parts):
        return "\n".join(f"{number}. {part}" for number, part in enumerate(parts, 1))
    if form == 1 and not any("\n\n>" in part for part in parts):
        return "Here are the facts:\n\n" + "\n".join(f"- **{part}**" for part in parts)
    if form == 2:
        return "\n\n".join(parts)
    if form == 3:
        heads = [f"## {number}. Heading\n\n{part}" for number, part in enumerate(parts, 1)]
        return "\n\n".join(heads)
    return " ".join(parts)
