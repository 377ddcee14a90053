"""The addresses in an answer, and whether a tool or the user gave them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from treadle.core.sentences import Span
from treadle.core.sources import Unverified
from treadle.runtime.citations._evidence import Evidence
from treadle.runtime.citations._findings import Cover, Edit, Finding

REMOVED = "[unverified link removed]"

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]\n]|\[[^\[\]\n]{0,200}\]){0,500})\]"
    r"\(\s{0,4}<?(?P<target>(?:[^\s()<>]|\([^\s()<>]{0,200}\)){0,2000}+)>?"
    r"(?:\s{1,4}(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}'))?\s{0,4}\)"
)
_RAW = re.compile(
    r"(?<![A-Za-z0-9])(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s<>\"'`\\^{}|\u2026]+", re.IGNORECASE
)
_HOST_ENDINGS = (
    "com|org|net|edu|gov|mil|info|biz|io|ai|dev|app|co|uk|de|fr|eu|ch|at|nl|se|no|es|it|pl|ru|jp|cn"
    "|in|br|au|ca|us|tv|me|xyz|site|online|tech|wiki|example|test"
)
_BARE = re.compile(
    rf"(?<![\w@/.:-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,5}}(?:{_HOST_ENDINGS})"
    r"(?![\w-]|\.\w)(?:/[^\s<>\"'`\\^{}|]*)?"
)
_TRACKING = re.compile(
    r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|igshid|yclid|_ga|ref_src", re.IGNORECASE
)
_LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0)(?::|/|$)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,15}:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An address in a text.

    Attributes:
        target: the address as it is written.
        span: where it stands, with the link around it.
        shown: what takes the reader there, for a link.
    """

    target: str
    span: Span
    shown: str = ""


def addresses(text: str) -> Iterator[Address]:
    """Yield the addresses in a text: links, URLs and the names of hosts."""
    taken = Cover(len(text))
    for match in _LINK.finditer(text):
        if target := match["target"]:
            taken.add(match.span())
            shown = "" if _looks_like_address(match["text"]) else match["text"]
            yield Address(target, match.span(), shown)
    for pattern in (_RAW, _BARE):
        for match in pattern.finditer(text):
            target = _trimmed(match[0])
            span = (match.start(), match.start() + len(target))
            if not taken.touches(span):
                taken.add(span)
                is_bracketed = text[span[0] - 1 : span[0]] == "<" and text[span[1] :][:1] == ">"
                yield Address(target, (span[0] - 1, span[1] + 1) if is_bracketed else span)


def normal(url: str) -> str:
    """Return a URL in the form in which two spellings of one address are equal."""
    url = url.replace("&amp;", "&").strip()
    url = re.sub(r"^(?:https?:)?//", "", url, flags=re.IGNORECASE)
    try:
        parts = urlsplit(f"//{url}" if not _SCHEME.match(url) or "://" not in url else url)
    except ValueError:
        return url.casefold()
    host = parts.netloc.rpartition("@")[2].lower().removeprefix("www.")
    host = re.sub(r":(?:80|443)$", "", host)
    kept = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(pair[0])
    ]
    path = unquote(parts.path).rstrip("/")
    query = f"?{urlencode(sorted(kept))}" if kept else ""
    return f"{host}{path}{query}"


class KnownAddresses:
    """The addresses that tools and the user gave."""

    def __init__(self, evidence: Evidence) -> None:
        self._text = "\n".join(evidence.texts())
        places = [source.uri for source in evidence.sources.values()]
        found = [address.target for address in addresses(self._text)]
        self._known = {normal(url) for url in (*places, *found)}
        self._hosts = {url.partition("/")[0].partition("?")[0] for url in self._known}

    def has(self, target: str) -> bool:
        """Tell whether an address is known, or leads nowhere outside."""
        if target.startswith("#") or _LOCAL.match(re.sub(r"^\w+://", "", target)):
            return True
        if target.lower().startswith("mailto:"):
            return target[7:].partition("?")[0] in self._text
        url = normal(target)
        if url in self._known or url in self._hosts:
            return True
        # A path of the project is not an address on the web: it need only be written somewhere.
        is_web = "://" in target or target.lower().startswith("www.") or _BARE.match(target)
        return not is_web and not _SCHEME.match(target) and target.partition("#")[0] in self._text


def unknown_addresses(text: str, evidence: Evidence) -> Iterator[Finding]:
    """Yield the addresses of an answer that nobody gave."""
    found = list(addresses(text))
    if not found:
        return
    known = KnownAddresses(evidence)
    for address in found:
        if not known.has(address.target):
            mark = f"{address.shown} {REMOVED}" if address.shown else REMOVED
            yield Finding(
                Unverified("link", address.target, "no tool returned this address"),
                (Edit(*address.span, mark),),
            )


def spans(text: str) -> list[Span]:
    """Return where addresses stand in a text."""
    return [address.span for address in addresses(text)]


def _looks_like_address(text: str) -> bool:
    return bool(_RAW.match(text) or _BARE.fullmatch(text))


def _trimmed(url: str) -> str:
    """Take off what ends the sentence rather than the address."""
    while url:
        if url[-1] in ".,;:!?*_~\u2019\u201d\u00bb" or (
            url[-1] in ")]" and url.count(url[-1]) > url.count({")": "(", "]": "["}[url[-1]])
        ):
            url = url[:-1]
        else:
            break
    return url
