"""A text as a row of words that compare equal however they are typeset."""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

_WORD = re.compile(r"[^\W_]+(?:[.,'/-][^\W_]+)*")
_TYPE = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u2032": "'",
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u00ad": None, "\u200b": None, "\u2060": None,
        "\u2215": "/", "*": None, "`": None,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Words:
    """The words of a text.

    Attributes:
        words: each in lower case, with plain apostrophes and hyphens and without emphasis.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Words":
        """Return the words of a text."""
        plain = unicodedata.normalize("NFKC", text).translate(_TYPE).casefold()
        return cls(tuple(_WORD.findall(plain)))

    @cached_property
    def _row(self) -> str:
        return f" {' '.join(self.words)} "

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for word in self.words:
            starts.append(at)
            at += len(word) + 1
        return starts

    def find(self, wanted: "Words", at: int = 0) -> int:
        """Return the place of the first word of those wanted, from a place on, or -1."""
        if at >= len(self.words):
            return -1
        found = self._row.find(wanted._row, self._starts[at])
        return bisect_left(self._starts, found) if found >= 0 else -1
