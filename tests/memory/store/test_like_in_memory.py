"""The store does what LangGraph's own InMemoryStore does, whatever is asked of it."""

from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from tests.memory.store.conftest import by_letters
from treadle.memory.store import RedisStore

LABELS = st.sampled_from(["a", "b", "users", "ä {x}/:*", "a b\n"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=4).map(tuple)
PREFIXES = st.lists(LABELS, max_size=4).map(tuple)
KEYS = st.sampled_from(["k", "k2", "ü/:{}*", "long" * 50])
# No 0 and no 1: the model compares as Python does, to which they are false and true.
NUMBERS = st.sampled_from([-5, -1, 2, 3, 0.5, 1e9])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "x", "y"])
FIELDS = st.sampled_from(["n", "text", "deep"])
VALUES = st.dictionaries(
    FIELDS,
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(FIELDS, SCALARS, max_size=2),
    max_size=3,
)
CONDITIONS = SCALARS | st.dictionaries(st.sampled_from(["$eq", "$ne"]), SCALARS, min_size=1)
FILTERS = st.none() | st.dictionaries(
    FIELDS,
    CONDITIONS | st.dictionaries(FIELDS, CONDITIONS, max_size=2) | st.lists(CONDITIONS, max_size=2),
    max_size=2,
)
WILD = st.lists(LABELS | st.just("*"), min_size=1, max_size=3).map(tuple)
MATCHES = st.lists(
    st.tuples(st.sampled_from(["prefix", "suffix"]), WILD).map(
        lambda parts: MatchCondition(*parts)
    ),
    max_size=2,
).map(tuple)
PUTS = st.tuples(NAMESPACES, KEYS, st.none() | VALUES).map(lambda parts: PutOp(*parts))
OPS = (
    PUTS
    | st.tuples(NAMESPACES, KEYS).map(lambda parts: GetOp(*parts))
    | st.tuples(PREFIXES, FILTERS).map(lambda parts: SearchOp(*parts, limit=1000))
    | st.tuples(MATCHES, st.none() | st.integers(1, 4)).map(
        lambda parts: ListNamespacesOp(*parts, limit=1000)
    )
)
BATCHES = st.lists(st.lists(OPS, max_size=6), max_size=8)


def seen(result: Any) -> Any:
    """Return what is equal for equal results, whatever the order and the moments."""
    if isinstance(result, Item):
        return result.namespace, result.key, repr(result.value)
    if isinstance(result, list):
        return sorted(map(seen, result))
    return result


def live(model: InMemoryStore, op: Op, result: Any) -> Any:
    """Return a listing without the namespaces that hold nothing, which the model keeps."""
    if not isinstance(op, ListNamespacesOp):
        return result
    held = InMemoryStore()
    held._data.update({name: items for name, items in model._data.items() if items})
    return held.batch([op])[0]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(BATCHES)
def test_any_batches(client: redis.Redis, batches: list[list[Op]]) -> None:
    client.flushall()
    store, model = RedisStore(client), InMemoryStore()
    for ops in batches:
        expected = [live(model, op, model.batch([op])[0]) for op in ops if not is_put(op)]
        model.batch([op for op in ops if is_put(op)])
        results = store.batch(ops)
        found = [result for op, result in zip(ops, results, strict=True) if not is_put(op)]
        assert [seen(result) for result in found] == [seen(result) for result in expected]


def is_put(op: Op) -> bool:
    return isinstance(op, PutOp)


TEXTS = st.text("abc ", max_size=6)
DOCUMENTS = st.dictionaries(KEYS, st.fixed_dictionaries({"text": TEXTS, "tags": st.lists(TEXTS)}))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(NAMESPACES, DOCUMENTS, max_size=3),
    st.text("abc", min_size=1, max_size=4),
    PREFIXES,
)
@pytest.mark.parametrize("index", [None, ["text", "tags[*]"], False])
def test_search_by_meaning(
    client: redis.Redis, index: Any, documents: dict[Any, Any], query: str, prefix: Any
) -> None:
    client.flushall()
    store = RedisStore(client, index=by_letters("text"))
    model = InMemoryStore(index=by_letters("text"))
    for namespace, items in documents.items():
        for key, value in items.items():
            store.put(namespace, key, value, index)
            put_in_model(model, namespace, key, value, index)
    found = store.search(prefix, query=query, limit=100)
    expected = model.search(prefix, query=query, limit=100)
    assert seen(list(found)) == seen(list(expected))
    assert scores(found) == pytest.approx(scores(expected), abs=1e-6)
    paged = [store.search(prefix, query=query, limit=1, offset=n)[0] for n in range(len(found))]
    assert [item.dict() for item in paged] == [item.dict() for item in found]


def put_in_model(model: InMemoryStore, namespace: Any, key: str, value: Any, index: Any) -> None:
    # The model cannot embed one text for two paths, or an empty one.
    if index is None and not value["text"]:
        index = False
    if index:
        texts = [value["text"], *value["tags"]]
        paths = ["text", *(f"tags[{n}]" for n in range(len(value["tags"])))]
        index = list({text: path for path, text in zip(paths, texts, strict=True) if text}.values())
    model.put(namespace, key, value, False if index == [] else index)


def scores(items: list[SearchItem]) -> list[float]:
    assert [item.score is None for item in items] == sorted(item.score is None for item in items)
    return [item.score for item in items if item.score is not None]
