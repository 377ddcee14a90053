"""Where what an agent says comes from."""

import hashlib
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

LABEL = re.compile(r"\[\^([a-z0-9]{6})\]")
"""A source's label as it stands in a text, such as ``[^k3x9qa]``; group 1 is the bare label."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Source:
    """A place that a text was taken from.

    Attributes:
        title: what a person would call it.
        uri: where it is: a URL, or a path relative to the project.
        locator: the part of it, such as ``"lines 10-24"``, ``"page 3"`` or ``"History"``; may be
            empty.
    """

    title: str
    uri: str
    locator: str = ""

    @cached_property
    def label(self) -> str:
        """Six letters and digits that name this source wherever it turns up again.

        They follow from ``uri`` and ``locator`` alone, so the same place carries the same label in
        every call, turn and process, and parallel tools need no common counter.
        """
        number = int.from_bytes(hashlib.sha256(f"{self.uri}\0{self.locator}".encode()).digest())
        digits = []
        for _ in range(6):
            number, digit = divmod(number, len(_DIGITS))
            digits.append(_DIGITS[digit])
        return "".join(digits)

    def to_dict(self) -> dict[str, str]:
        """Return it as plain data, as it is kept beside a tool's result."""
        return {"title": self.title, "uri": self.uri, "locator": self.locator}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Source":
        """Make a source of what `to_dict` returned.

        Raises:
            KeyError: when ``title`` or ``uri`` is missing.
        """
        return cls(str(data["title"]), str(data["uri"]), str(data.get("locator", "")))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text and where it comes from."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Support:
    """What a sentence of an answer rests on.

    Attributes:
        claim: the sentence.
        call_id: the tool call whose result bears it out.
        start: where in the result's text the bearing part begins, in characters.
        end: where it ends.
        quote: that part.
    """

    claim: str
    call_id: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that an answer points to.

    Attributes:
        number: its number in the answer's text, from 1.
        source: the place.
        supports: for each sentence that cites it, the part of it that the sentence rests on.
    """

    number: int
    source: Source
    supports: tuple[Support, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        supports = [asdict(support) for support in self.supports]
        return {"number": self.number, **self.source.to_dict(), "supports": supports}


@dataclass(frozen=True, slots=True)
class Unverified:
    """Something in an answer that no tool of the run bears out.

    Attributes:
        kind: ``link``, ``quote``, ``number`` or ``source``.
        text: it, as the model wrote it.
        reason: why it is not borne out.
    """

    kind: str
    text: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return it as plain data."""
        return asdict(self)
