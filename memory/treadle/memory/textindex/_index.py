"""`TextIndex`: texts in, ranked texts out."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import redis.asyncio

from treadle.core.errors import ConfigError, InputError, RunError
from treadle.memory.textindex._analysis import analyzer
from treadle.memory.textindex._changes import Change, Vectors
from treadle.memory.textindex._known import KnownIndex, KnownIndexes, joined
from treadle.memory.textindex._ranking import Scores, Segment, bm25, query_weights
from treadle.memory.textindex._scripts import ANNOTATE, FILL, GET, READ, SEGMENT_SIZE, WRITE
from treadle.memory.textindex.records import (
    COORDINATE,
    Batch,
    Entry,
    EntryRecord,
    IndexedText,
    Vector,
    VectorSpace,
    pack,
    pack_note,
    pack_vectors,
    to_bytes,
    to_str,
    unpack_text,
)

__all__ = ["Entry", "Hit", "IndexedText", "Scores", "TextIndex", "VectorSpace"]

AsyncRedis: TypeAlias = redis.asyncio.Redis | redis.asyncio.RedisCluster

Entries: TypeAlias = Mapping[str, Entry]

TEXTS_PER_WRITE = 512
TERMS_PER_QUERY = 512
FEWEST_DEAD_TO_SWEEP = 1_024
CHARACTERS_ANALYSED_INLINE = 20_000
IDS_PER_CALL = 1_000
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found.

    Attributes:
        id: the id it was added with.
        score: how well it fits; comparable within one search only, except where it is 0 because
            the text was not searched for but fetched.
        text: the text.
        context: its context.
        fields: its fields.
        number: its place in the order in which texts were added.
    """

    id: str
    score: float
    text: str
    context: str
    fields: Mapping[str, Any]
    number: int


class TextIndex:
    """A full-text index kept in Redis (6.2 or later, one server or a cluster).

    Every call is atomic for each id: whoever reads sees all of an id's texts or none, whatever
    crashes and however many processes write. A search costs two round trips and reads only the
    postings of its own terms.

    Args:
        client: a client that answers in bytes, as `treadle.memory.connect` gives it.
        key: what the index's keys begin with. Its hash tag (``{...}``) decides the cluster slot
            of all of them; a key without one becomes one as a whole.
        ttl: how long the index lives after it was last written to; for ever when ``None``.
        language: the language of the texts, as `Analyzer` knows it.
        space: what the vectors of texts mean, for callers that rank by them. When texts of
            another space are added, the vectors there were are forgotten.
        known: what this process has read of indexes, so that a search reads only what is new;
            without it every search reads all.

    Raises:
        UnknownNameError: the language is not known.
    """

    def __init__(
        self,
        client: AsyncRedis,
        key: str,
        *,
        ttl: timedelta | None = None,
        language: str = "english",
        space: VectorSpace | None = None,
        known: KnownIndexes | None = None,
    ) -> None:
        self.key = key if _has_hash_tag(key) else f"{{{key}}}"
        self._client: Any = client
        self._analyzer = analyzer(language)
        self._space = space
        self._known = known
        self._ttl_milliseconds = int(ttl.total_seconds() * 1000) if ttl else 0
        self._read = client.register_script(READ)
        self._write = client.register_script(WRITE)
        self._get = client.register_script(GET)
        self._fill = client.register_script(FILL)
        self._annotate = client.register_script(ANNOTATE)
        self._segments = (0, 0)

    async def add(
        self,
        items: Iterable[IndexedText],
        *,
        notes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Add texts; the texts of an id replace all that it held before.

        The ids are written in groups, each atomically and whole; a crash leaves some ids new
        and the others as they were.

        Args:
            items: the texts, those of one id in their order.
            notes: what to keep with an id itself, as JSON can hold it. An id that has a note and
                no text is kept, without texts.

        Raises:
            InputError: an id has more texts than a segment holds (65,536).
            ConfigError: the index was made with another language or version.
            TypeError, ValueError: fields or a note cannot be written as JSON.
        """
        notes = notes or {}
        texts: dict[str, list[IndexedText]] = {id_: [] for id_ in notes}
        for item in items:
            texts.setdefault(item.id, []).append(item)
        for group in _groups({id_: len(held) for id_, held in texts.items()}):
            changes = [Change(id_, len(texts[id_]), notes.get(id_, {})) for id_ in group]
            meta = await self._change(changes, [item for id_ in group for item in texts[id_]])
        if texts:
            await self._sweep(meta)

    async def fill(self, vectors: Mapping[int, Vector]) -> int:
        """Give texts the vectors that they were added without.

        Args:
            vectors: them by the texts' numbers; those of texts removed meanwhile are passed over.

        Returns:
            how many texts were given theirs.

        Raises:
            ConfigError: the index has no vector space.
            ValueError: a vector has another number of dimensions.
        """
        if self._space is None:
            raise ConfigError(f"The text index {self.key} has no vector space.")
        filled = 0
        numbers = list(vectors)
        for start in range(0, len(numbers), TEXTS_PER_WRITE):
            group = numbers[start : start + TEXTS_PER_WRITE]
            dimensions = self._space.dimensions
            arguments: list[Any] = [self._ttl_milliseconds, _new_epoch(), self._space.label]
            arguments.append(dimensions * COORDINATE.itemsize)
            for number in group:
                arguments += (number, pack_vectors([vectors[number]], dimensions))
            filled += (await self._run(self._fill, arguments))[0]
        return filled

    async def annotate(self, notes: Mapping[str, Mapping[str, Any]], known: Entries) -> int:
        """Give ids other notes, and leave their texts as they are.

        Args:
            notes: the notes by id.
            known: the ids' entries; an id that was written again since is passed over.

        Returns:
            how many ids were given their note.

        Raises:
            TypeError, ValueError: a note cannot be written as JSON.
        """
        noted = 0
        ids = [id_ for id_ in notes if id_ in known]
        for start in range(0, len(ids), IDS_PER_CALL):
            arguments: list[bytes] = []
            for id_ in ids[start : start + IDS_PER_CALL]:
                head = f"{known[id_].first} {known[id_].texts} ".encode()
                arguments += (to_bytes(id_), head, pack_note(notes[id_]))
            noted += await self._annotate([self._name("ids")], arguments)
        return noted

    async def remove(self, ids: Iterable[str]) -> int:
        """Remove all that the ids hold.

        Returns:
            how many texts were removed.
        """
        distinct = list(dict.fromkeys(ids))
        removed = 0
        for start in range(0, len(distinct), IDS_PER_CALL):
            group = distinct[start : start + IDS_PER_CALL]
            meta = await self._change([Change(id_, -1, {}) for id_ in group], [])
            removed += meta.removed
        if distinct:
            await self._sweep(meta)
        return removed

    async def search(self, query: str, k: int = 10) -> list[Hit]:
        """Return the best ``k`` texts that hold a word of the query, best first.

        Raises:
            ConfigError: the index was made with another language or version.
        """
        scores = await self.scores(query)
        return await self.fetch(scores.best(k))

    async def scores(self, query: str) -> Scores:
        """Return the score of every text, for callers that rank by more than words.

        Raises:
            ConfigError: the index was made with another language or version.
        """
        weights = query_weights(self._analyzer.iter_terms(query), TERMS_PER_QUERY)
        segments = await self._segments_for(list(weights))
        dimensions = self._space.dimensions if self._space else 0
        return bm25(segments, list(weights.values()), dimensions)

    async def fetch(self, scored: Sequence[tuple[int, float]]) -> list[Hit]:
        """Return texts by number, with the scores given; those removed meanwhile are left out."""
        if not scored:
            return []
        found = await self._client.hmget(self._name("docs"), [number for number, _ in scored])
        hits = []
        for (number, score), data in zip(scored, found, strict=True):
            if data is not None:
                item = unpack_text(data)
                hits.append(Hit(item.id, score, item.text, item.context, item.fields, number))
        return hits

    async def get(self, ids: Iterable[str]) -> dict[str, list[IndexedText]]:
        """Return the texts of each id; ids that hold none are left out."""
        distinct = list(dict.fromkeys(ids))
        texts: dict[str, list[IndexedText]] = {}
        for start in range(0, len(distinct), IDS_PER_CALL):
            group = distinct[start : start + IDS_PER_CALL]
            found = await self._get(
                [self._name("ids"), self._name("docs")], [to_bytes(id_) for id_ in group]
            )
            for id_, documents in zip(group, found, strict=True):
                if documents:
                    texts[id_] = [unpack_text(data) for data in documents]
        return texts

    async def entries(self, ids: Iterable[str] | None = None) -> dict[str, Entry]:
        """Return ids with the number of their texts and their notes.

        Args:
            ids: which ones; all there are when ``None``. Those that are not there are left out.
        """
        name = self._name("ids")
        if ids is None:
            found = await self._client.hgetall(name)
        else:
            asked = [to_bytes(id_) for id_ in dict.fromkeys(ids)]
            raws = await self._client.hmget(name, asked) if asked else []
            found = {id_: raw for id_, raw in zip(asked, raws, strict=True) if raw is not None}
        return {to_str(id_): _entry(EntryRecord(raw)) for id_, raw in found.items()}

    async def count(self) -> int:
        """Return the number of texts."""
        return _Meta.read(await self._client.hgetall(self._name("meta"))).live

    async def drop(self) -> int:
        """Remove the index.

        Returns:
            how many keys were removed.
        """
        if self._known:
            self._known.forget(self.key)
        meta = _Meta.read(await self._client.hgetall(self._name("meta")))
        return int(await self._client.unlink(*self._keys(meta.first, meta.last)))

    async def _segments_for(self, terms: list[str]) -> list[Segment]:
        """Read the segments, but for what is known of them already."""
        space = self._space.label if self._space else ""
        names = [to_bytes(term) for term in terms]
        known = self._known.of(self.key, space) if self._known else KnownIndex()
        parts = known.parts(names)
        arguments: list[Any] = [space, known.epoch, len(names), *names]
        for part in parts.values():
            sizes = (len(postings or b"") for postings in part.postings)
            arguments += (part.number, len(part.lengths), len(part.vectors), *sizes)
        epoch, *answer = await self._run(self._read, arguments)
        first = self._segments[0]
        segments = [
            Segment(first + at // 3, *answer[at : at + 3]) for at in range(0, len(answer), 3)
        ]
        if epoch == known.epoch:
            segments = [joined(parts.get(part.number), part) for part in segments]
        if self._known and epoch:
            self._known.learn(self.key, epoch, space, names, segments)
        return segments

    async def _change(
        self,
        changes: Sequence[Change],
        texts: Sequence[IndexedText],
        avoided_segment: int = -1,
        vectors: Vectors | None = None,
    ) -> "_Meta":
        """Write one group of ids, atomically."""
        batch = await self._packed(texts)
        vectors = vectors or self._vectors_of(texts)
        arguments: list[Any] = [self._ttl_milliseconds, _new_epoch(), avoided_segment]
        arguments += [vectors.data, vectors.space, vectors.width, batch.lengths, len(changes)]
        for change in changes:
            arguments += change.arguments()
        arguments += [len(batch.documents), *batch.documents, len(batch.postings)]
        for term, postings in batch.postings.items():
            arguments += (to_bytes(term), postings)
        removed, first, last, meta = await self._run(self._write, arguments)
        self._segments = (first, last)
        pairs = zip(meta[::2], meta[1::2], strict=True)
        return _Meta.read(dict(pairs), removed)

    def _vectors_of(self, texts: Sequence[IndexedText]) -> Vectors:
        if self._space is None:
            return Vectors()
        packed = pack_vectors([item.vector for item in texts], self._space.dimensions)
        width = self._space.dimensions * COORDINATE.itemsize
        return Vectors(packed, self._space.label, width)

    async def _packed(self, texts: Sequence[IndexedText]) -> Batch:
        if sum(len(item.text) for item in texts) <= CHARACTERS_ANALYSED_INLINE:
            return pack(texts, self._analyzer)
        return await asyncio.to_thread(pack, texts, self._analyzer)

    async def _run(self, script: Any, arguments: Sequence[Any]) -> list[Any]:
        """Run a script on the index's segments as they are by now."""
        for _ in range(ATTEMPTS):
            first, last = self._segments
            head = (first, last, self._analyzer.name)
            answer: list[Any]
            status, *answer = await script(self._keys(first, last), (*head, *arguments))
            match status:
                case b"ok":
                    return answer
                case b"segments":
                    self._segments = (answer[0], answer[1])
                case b"changed":
                    raise _ChangedError
                case _:
                    raise self._other_analysis(answer[0].decode())
        raise RunError(
            f"The text index {self.key} changed {ATTEMPTS} times while it was being used.",
            hint="Try again when fewer processes write to it.",
        )

    async def _sweep(self, meta: "_Meta") -> None:
        """Move what lives in a mostly dead segment elsewhere, so that the segment goes."""
        for segment in meta.sparse():
            found = [item async for item in self._entries_in(segment)]
            records = dict(sorted(found, key=lambda item: item[1].numbers.start))
            for group in _groups({id_: len(record.numbers) for id_, record in records.items()}):
                await self._move({id_: records[id_] for id_ in group}, segment)

    async def _entries_in(self, segment: int) -> AsyncIterator[tuple[str, EntryRecord]]:
        async for id_, raw in self._client.hscan_iter(self._name("ids"), count=IDS_PER_CALL):
            record = EntryRecord(raw)
            numbers = record.numbers
            if numbers and numbers.start // SEGMENT_SIZE == segment:
                yield to_str(id_), record

    async def _move(self, records: Mapping[str, EntryRecord], segment: int) -> None:
        """Write ids again, elsewhere than in the segment, unless somebody else just did."""
        held = await self.get(records)
        changes = [
            Change(id_, len(held.get(id_, [])), record.note, record.raw)
            for id_, record in records.items()
        ]
        texts = [item for id_ in records for item in held.get(id_, [])]
        vectors = await self._vectors_in(records.values(), segment)
        try:
            await self._change(changes, texts, segment, vectors)
        except _ChangedError:
            if len(records) > 1:
                for id_, record in records.items():
                    await self._move({id_: record}, segment)

    async def _vectors_in(self, records: Iterable[EntryRecord], segment: int) -> Vectors:
        """Read the vectors of entries, whatever space they belong to."""
        meta = await self._client.hmget(self._name("meta"), ["space", "width"])
        if meta[0] is None:
            return Vectors()
        width = int(meta[1])
        found = []
        for record in records:
            start = record.numbers.start % SEGMENT_SIZE * width
            end = start + len(record.numbers) * width
            part = await self._client.getrange(self._name(f"{segment}:vectors"), start, end - 1)
            found.append(part.ljust(end - start, b"\0"))
        return Vectors(b"".join(found), meta[0].decode(), width)

    def _other_analysis(self, name: str) -> ConfigError:
        return ConfigError(
            f"The text index {self.key} was made by the analyzer {name!r} and cannot be used "
            f"with {self._analyzer.name!r}.",
            hint="Drop it and add its texts again.",
        )

    def _keys(self, first: int, last: int) -> list[str]:
        keys = [self._name("meta"), self._name("ids"), self._name("docs")]
        for segment in range(first, last + 2):
            keys += (self._name(f"{segment}:{part}") for part in ("length", "postings", "vectors"))
        return keys

    def _name(self, part: str) -> str:
        return f"{self.key}:{part}"


class _ChangedError(Exception):
    """An id no longer holds what was expected."""


@dataclass(frozen=True, slots=True)
class _Meta:
    """The index's own account of its segments."""

    first: int
    last: int
    live_in: Mapping[int, int]
    used_in: Mapping[int, int]
    removed: int = 0

    @classmethod
    def read(cls, data: Mapping[bytes, bytes], removed: int = 0) -> "_Meta":
        counts: dict[bytes, dict[int, int]] = {b"live": {}, b"used": {}}
        for field, value in data.items():
            kind, _, segment = field.partition(b":")
            if segment:
                counts[kind][int(segment)] = int(value)
        first, last = int(data.get(b"first", 0)), int(data.get(b"last", 0))
        return cls(first, last, counts[b"live"], counts[b"used"], removed)

    @property
    def live(self) -> int:
        return sum(self.live_in.values())

    def sparse(self) -> list[int]:
        """Return the segments that hold more dead texts than live ones, and many."""
        dead = {
            segment: used - self.live_in.get(segment, 0) for segment, used in self.used_in.items()
        }
        return [
            segment
            for segment, count in dead.items()
            if count >= FEWEST_DEAD_TO_SWEEP and count > self.live_in.get(segment, 0)
        ]


def _entry(record: EntryRecord) -> Entry:
    return Entry(len(record.numbers), record.note, record.numbers.start)


def _groups(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Group ids, given the numbers of their texts: few texts to a group, or a single id."""
    for id_, size in sizes.items():
        if size > SEGMENT_SIZE:
            raise InputError(f"{id_!r} has {size} texts; an id holds at most {SEGMENT_SIZE}.")
    group: list[str] = []
    total = 0
    for id_, size in sizes.items():
        if group and (total + size > TEXTS_PER_WRITE or len(group) == IDS_PER_CALL):
            yield group
            group, total = [], 0
        group.append(id_)
        total += size
    if group:
        yield group


def _new_epoch() -> str:
    return secrets.token_hex(6)


def _has_hash_tag(key: str) -> bool:
    start = key.find("{")
    return start >= 0 and key.find("}", start) > start + 1
