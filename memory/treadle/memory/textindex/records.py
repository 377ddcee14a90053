"""How texts, entries and postings are written in Redis.

A *posting* is three bytes: the text's number within its segment (two bytes, little end first)
and how often the term occurs in it (one byte; 255 stands for more). A *length* is two bytes: the
number of the text's terms plus one (65,535 stands for more); zero marks a text that is gone. A
*vector* is two bytes for each dimension, a half-precision float; all zero where none is known.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.memory.textindex._analysis import Analyzer

Vector: TypeAlias = NDArray[np.float32]

POSTING = np.dtype([("offset", "<u2"), ("frequency", "u1")])
LENGTH = np.dtype("<u2")
COORDINATE = np.dtype("<f2")
HIGHEST_FREQUENCY = 255
HIGHEST_LENGTH = 65_534


@dataclass(frozen=True, slots=True)
class IndexedText:
    """A text to find.

    Attributes:
        id: what it is a part of, such as a message or a file. Texts that share an id come,
            go and are replaced together.
        text: the text.
        context: words that find it too, although they stand elsewhere: its headings, or who
            said it and when.
        fields: what else to keep with it, as JSON can hold it; not searched.
        vector: where it lies in the index's vector space; ``None`` when that is not known.
    """

    id: str
    text: str
    context: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    vector: Vector | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index holds of an id.

    Attributes:
        texts: the number of its texts.
        note: what was kept with the id itself.
        first: the number of its first text; the others follow it.
    """

    texts: int
    note: Mapping[str, Any]
    first: int


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What an index's vectors mean.

    Attributes:
        name: what made them, such as a model's name. Vectors of other names are not compared.
        dimensions: how many coordinates each has.
    """

    name: str
    dimensions: int

    @property
    def label(self) -> str:
        """The space's name in Redis."""
        return f"{self.name}/{self.dimensions}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of whole ids, packed as the write script takes them."""

    documents: list[bytes]
    lengths: bytes
    postings: dict[str, bytes]


def pack(texts: Sequence[IndexedText], analyzer: Analyzer) -> Batch:
    """Analyse texts and pack what the index keeps of them, numbered from 0."""
    lengths = np.zeros(len(texts), LENGTH)
    postings: defaultdict[str, bytearray] = defaultdict(bytearray)
    for number, item in enumerate(texts):
        terms = analyzer.terms(f"{item.context}\n{item.text}" if item.context else item.text)
        lengths[number] = min(len(terms), HIGHEST_LENGTH) + 1
        offset = number.to_bytes(2, "little")
        for term, frequency in Counter(terms).items():
            posting = postings[term]
            posting += offset
            posting.append(min(frequency, HIGHEST_FREQUENCY))
    return Batch(
        [pack_text(item) for item in texts],
        lengths.tobytes(),
        {term: bytes(records) for term, records in postings.items()},
    )


def pack_text(item: IndexedText) -> bytes:
    """Write a text down as a line of JSON."""
    return _to_json([item.id, item.text, item.context, item.fields])


def unpack_text(data: bytes) -> IndexedText:
    """Read what `pack_text` wrote."""
    return IndexedText(*_from_json(data))


def pack_vectors(vectors: Sequence[Vector | None], dimensions: int) -> bytes:
    """Pack vectors; nothing when none is known.

    Raises:
        ValueError: a vector has another number of dimensions.
    """
    if not any(vector is not None for vector in vectors):
        return b""
    packed = np.zeros((len(vectors), dimensions), COORDINATE)
    for row, vector in zip(packed, vectors, strict=True):
        if vector is not None:
            if np.shape(vector) != (dimensions,):
                raise ValueError(f"a vector of shape {np.shape(vector)} in {dimensions} dimensions")
            row[:] = vector
    return packed.tobytes()


def unpack_vectors(data: bytes, count: int, dimensions: int) -> Vector:
    """Return ``count`` vectors as rows; those that are not known, or not there, are zero."""
    vectors = np.zeros((count, dimensions), np.float32)
    known = np.frombuffer(data, COORDINATE).reshape(-1, dimensions)[:count]
    vectors[: len(known)] = known
    return vectors


def pack_note(note: Mapping[str, Any]) -> bytes:
    """Write an id's note down."""
    return _to_json(note) if note else b""


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An id's entry as it stands in Redis: ``first count note``."""

    raw: bytes

    @property
    def numbers(self) -> range:
        """The numbers of the id's texts."""
        first, count, _ = self.raw.split(b" ", 2)
        return range(int(first), int(first) + int(count))

    @property
    def note(self) -> dict[str, Any]:
        """What was kept with the id."""
        note = self.raw.split(b" ", 2)[2]
        return dict(_from_json(note)) if note else {}


def unpack_postings(data: bytes | None) -> NDArray[np.void]:
    """Return a term's postings in one segment."""
    return np.frombuffer(data or b"", POSTING)


def to_bytes(text: str) -> bytes:
    """Encode anything a str can hold, file names with undecodable bytes included."""
    return text.encode("utf-8", "surrogatepass")


def to_str(data: bytes) -> str:
    """Decode what `to_bytes` encoded."""
    return data.decode("utf-8", "surrogatepass")


def _to_json(value: Any) -> bytes:
    return to_bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def _from_json(data: bytes) -> Any:
    return json.loads(to_str(data))
