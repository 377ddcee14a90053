"""The words of BERT: lower-cased WordPiece, as its uncased models were trained with.

Devlin et al., "BERT" (2019): text is cleaned, split at spaces, punctuation and CJK characters,
stripped of accents, and each word cut greedily into the longest pieces of the vocabulary.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

_LONGEST_WORD = 100
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Cuts text into the numbers of a vocabulary.

    Args:
        vocabulary: the number of each piece; those inside a word begin with ``##``.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        self._unknown = vocabulary["[UNK]"]
        self._first, self._last = vocabulary["[CLS]"], vocabulary["[SEP]"]
        self._pieces = lru_cache(maxsize=50_000)(self._cut)

    def encode(self, text: str, limit: int) -> list[int]:
        """Return the pieces of a text between BERT's two marks, at most ``limit`` in all."""
        numbers = [self._first]
        for word in _words(text):
            numbers += self._pieces(word)
            if len(numbers) >= limit:
                break
        return [*numbers[: limit - 1], self._last]

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if piece in self._vocabulary:
                    pieces.append(self._vocabulary[piece])
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(pieces)


def _words(text: str) -> Iterator[str]:
    for part in _spaced(text).split():
        bare = unicodedata.normalize("NFD", part.lower())
        word = ""
        for char in bare:
            if unicodedata.category(char) == "Mn":
                continue
            if _is_punctuation(char):
                if word:
                    yield word
                yield char
                word = ""
            else:
                word += char
        if word:
            yield word


@lru_cache(maxsize=4_096)
def _cleaned(char: str) -> str:
    """Return the character with spaces around it where it is a word of its own."""
    if char in "\t\n\r":
        return " "
    category = unicodedata.category(char)
    if category[0] == "C" or char == "\ufffd":
        return ""
    if category == "Zs":
        return " "
    code = ord(char)
    return f" {char} " if any(low <= code <= high for low, high in _CJK) else char


def _spaced(text: str) -> str:
    return "".join(map(_cleaned, text))


@lru_cache(maxsize=4_096)
def _is_punctuation(char: str) -> bool:
    # All of ASCII that is neither letter, digit nor space counts, also what Unicode calls symbols.
    return (char.isascii() and not char.isalnum()) or unicodedata.category(char)[0] == "P"
