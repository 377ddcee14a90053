"""Facts that supersede each other.

What holds is kept apart from what held: ``(*namespace, "current")`` has one item for each thing
that facts are about, so that no stale fact can be found there; ``(*namespace, "past", <thing>)``
has those that were superseded, with the moments between which they held.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from langgraph.store.base import BaseStore, GetOp, Item, PutOp, SearchItem

from treadle.core.errors import RunError
from treadle.memory._codec import naming
from treadle.memory._storage_errors import RecordError
from treadle.memory.store._keys import Namespace
from treadle.memory.store._records import place
from treadle.memory.store._store import RedisStore
from treadle.memory.store._timeline import Fact, fitted, in_order, thing, utc
from treadle.memory.textindex import rank

_log = logging.getLogger("treadle.memory.store")
_MOST = 10_000
_ATTEMPTS = 100
_FUSION = 60.0  # of Cormack et al., "Reciprocal Rank Fusion", SIGIR 2009


class Facts:
    """What is known of a person, a thread or anything else, now and at any earlier time.

    A new fact about the same thing closes the validity of the one before instead of standing
    beside it. Facts may arrive in any order: each holds from when it was said until the next one
    about the same thing was said.

    Args:
        store: where to keep them. Writers to one `RedisStore` never lose each other's facts; other
            stores cannot promise that.
        namespace: where in the store, such as ``("users", "alice", "facts")``.

    All methods raise what the store raises.
    """

    def __init__(self, store: BaseStore, namespace: Namespace) -> None:
        self._store = store
        self._namespace = namespace
        self._current = (*namespace, "current")

    async def remember(
        self,
        text: str,
        *,
        about: str,
        said_at: datetime | None = None,
        source: str = "",
        id: str | None = None,  # noqa: A002 - what it is
    ) -> Fact:
        """Keep a fact.

        Args:
            text: the fact as a sentence, at most 4,000 characters.
            about: what it is about, in a few words, such as ``"home city"``; a fact about the same
                thing, however capitalised, takes the place of the one before.
            said_at: when it was said; now when ``None``. UTC where it has no time zone.
            source: where it comes from.
            id: remembering the same id twice changes nothing; made of the rest when ``None``.

        Returns:
            The fact as it is now known; the known one where it said so already.

        Raises:
            InputError: the text or ``about`` is empty or too long.
            RunError: others kept writing about the same thing.
        """
        return await self.keep(Fact.of(text, about, said_at=said_at, source=source, id=id))

    async def keep(self, new: Fact) -> Fact:
        """Keep a fact as `remember` does; ``until`` follows from the others.

        Raises:
            RunError: others kept writing about the same thing.
        """
        key = thing(new.about)
        for _ in range(_ATTEMPTS):
            held, same = await self._known(key, new.id)
            if same is not None:
                return same
            result, changed, current = await self._fit(key, held, new)
            if not changed:
                return result
            writes = [self._put(self._past(key), fact.id, fact) for fact in changed if fact.until]
            writes.append(self._put(self._current, key, current))
            if await self._write(writes, key, held):
                return result
        raise RunError(f"The fact about {new.about!r} was not kept: others kept writing.")

    async def current(self, query: str | None = None, limit: int = 10) -> list[Fact]:
        """Return the facts that hold.

        Args:
            query: what they should be about: the best first, by words and, where the store has an
                index, by meaning; those that fit less follow, the latest first.
            limit: how many at most.
        """
        return self._ranked(await self._items(self._current, query), query, limit)

    async def as_of(
        self, moment: datetime, query: str | None = None, limit: int = 10
    ) -> list[Fact]:
        """Return the facts that held at a moment, as far as is known now.

        Arguments as for `current`.
        """
        items = await self._items(self._namespace, query)
        at = utc(moment)
        return self._ranked(items, query, limit, at)

    async def history(self, about: str) -> list[Fact]:
        """Return every fact about a thing, in the order in which they were said."""
        key = thing(about)
        held, _ = await self._known(key, "")
        past = [fact for fact, _ in _read(await self._items(self._past(key), None))]
        facts = [*past, _fact(held)] if held else past
        return in_order(facts)

    async def forget(self, about: str) -> int:
        """Remove every fact about a thing, and return how many there were.

        Raises:
            RunError: others kept writing about the same thing.
        """
        key = thing(about)
        for _ in range(_ATTEMPTS):
            held, _ = await self._known(key, "")
            past = await self._items(self._past(key), None)
            writes = [PutOp(item.namespace, item.key, None) for item in past]
            if held is not None:
                writes.append(PutOp(self._current, key, None))
            if await self._write(writes, key, held):
                return len(writes)
        raise RunError(f"The facts about {about!r} stay: others kept writing about it.")

    def _past(self, key: str) -> Namespace:
        return (*self._namespace, "past", key)

    async def _known(self, key: str, fact_id: str) -> tuple[Item | None, Fact | None]:
        """Return the current fact's item, and the fact of that id if it is known."""
        ops = [GetOp(self._current, key)]
        if fact_id:
            ops.append(GetOp(self._past(key), fact_id))
        held, *past = await self._store.abatch(ops)
        found = [_fact(item) for item in (held, *past) if isinstance(item, Item)]
        same = next((fact for fact in found if fact.id == fact_id), None)
        return (held if isinstance(held, Item) else None), same

    async def _fit(
        self, key: str, held: Item | None, new: Fact
    ) -> tuple[Fact, Sequence[Fact], Fact]:
        """Return the fact as it will be known, the facts that change, and the one that holds."""
        if held is None:
            return new, [new], new
        current = _fact(held)
        if new.said_at < current.said_at:
            past = [fact for fact, _ in _read(await self._items(self._past(key), None))]
            # The current fact is written again too, so that nobody else fits one in meanwhile.
            return *fitted(past, current, new), current
        if current.says(new):
            return current, [], current
        return new, [replace(current, until=new.said_at), new], new

    def _put(self, namespace: Namespace, key: str, fact: Fact) -> PutOp:
        ttl = (self._store.ttl_config or {}).get("default_ttl")
        return PutOp(namespace, key, fact.to_dict(), ["text"], ttl)

    async def _write(self, writes: Sequence[PutOp], key: str, held: Item | None) -> bool:
        if isinstance(self._store, RedisStore):
            moment = held.updated_at if held else None
            return await self._store.aput_unless_changed(writes, self._current, key, moment)
        await self._store.abatch(writes)
        return True

    async def _items(self, namespace: Namespace, query: str | None) -> list[SearchItem]:
        return await self._store.asearch(namespace, query=query or None, limit=_MOST)

    def _ranked(
        self,
        items: Iterable[SearchItem],
        query: str | None,
        limit: int,
        at: datetime | None = None,
    ) -> list[Fact]:
        pairs = [(fact, score) for fact, score in _read(items) if at is None or fact.held_at(at)]
        pairs.sort(key=lambda pair: pair[0].said_at, reverse=True)
        facts = [fact for fact, _ in pairs]
        worth = [0.0] * len(facts)
        if query:
            by_words = rank(query, [f"{fact.about}\n{fact.text}" for fact in facts])
            meant = [n for n, (_, score) in enumerate(pairs) if score is not None]
            by_meaning = sorted(meant, key=lambda n: -(pairs[n][1] or 0.0))
            for order in ([n for n, _ in by_words], by_meaning):
                for place, n in enumerate(order):
                    worth[n] += 1 / (_FUSION + place)
        best = sorted(range(len(facts)), key=lambda n: -worth[n])
        return [facts[n] for n in best[: max(limit, 0)]]


def _read(items: Iterable[SearchItem]) -> list[tuple[Fact, float | None]]:
    """Return the facts of items. One that is no fact is named in the log and left out."""
    found = []
    for item in items:
        try:
            found.append((_fact(item), item.score))
        except RecordError as problem:
            _log.warning("Passed over a record: %s", problem)
    return found


def _fact(item: Item) -> Fact:
    with naming(place(item.namespace, item.key)):
        return Fact.read(item.value)
