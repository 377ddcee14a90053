"""The index, on real servers."""

import asyncio
import math
import sys
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.waiting import eventually
from treadle.core.errors import ConfigError, InputError, UnknownNameError
from treadle.memory import connect
from treadle.memory.textindex import Analyzer, IndexedText, TextIndex
from treadle.memory.textindex import _index as index_module

KEY = "treadle:main:docs:{test}"


@pytest.fixture
async def client(redis_server):
    async with connect(redis_server.url) as opened:
        yield opened


@pytest.fixture
async def index(client):
    return TextIndex(client, KEY)


def texts(**by_id: str) -> list[IndexedText]:
    return [IndexedText(id_, text) for id_, text in by_id.items()]


async def found(index: TextIndex, query: str, k: int = 10) -> list[str]:
    return [hit.id for hit in await index.search(query, k)]


async def test_the_best_text_comes_first(index):
    await index.add(
        texts(
            cats="Cats sleep most of the day.",
            dogs="Dogs run. Dogs bark. Dogs dig.",
            both="Cats and dogs and horses and cows and many other animals live here.",
        )
    )
    assert await found(index, "dog") == ["dogs", "both"]
    assert await found(index, "sleeping cat") == ["cats", "both"]
    assert await found(index, "unicorn") == []
    assert await index.count() == 3


async def test_a_hit_carries_what_was_kept_with_its_text(index):
    await index.add([IndexedText("a", "Text.", context="Héading", fields={"page": 3})])
    (hit,) = await index.search("heading")
    assert (hit.id, hit.text, hit.context, hit.fields) == ("a", "Text.", "Héading", {"page": 3})
    assert hit.score > 0


async def test_adding_an_id_again_replaces_all_it_held(index):
    await index.add([IndexedText("a", "red"), IndexedText("a", "green"), IndexedText("b", "red")])
    await index.add([IndexedText("a", "blue")])
    assert await found(index, "red green") == ["b"]
    assert await index.get(["a", "nothing"]) == {"a": [IndexedText("a", "blue")]}
    assert await index.count() == 2


async def test_removing_and_dropping(index, redis_server):
    await index.add(texts(a="red", b="green"))
    assert await index.remove(["a", "a", "nothing"]) == 1
    assert await found(index, "red") == []
    assert await index.drop() > 0
    with redis_server.client() as client:
        assert client.keys() == []
    assert await index.search("green") == []
    assert await index.drop() == 0
    await index.add(texts(c="green"))
    assert await found(index, "green") == ["c"]


async def test_an_index_that_was_emptied_keeps_nothing_but_its_account(index, redis_server):
    await index.add(texts(a="red", b="green"))
    await index.remove(["a", "b"])
    with redis_server.client() as client:
        assert client.keys() == [f"{KEY}:meta".encode()]
    await index.add(texts(c="red"))
    assert await found(index, "red") == ["c"]


async def test_ids_have_notes_even_without_texts(index):
    await index.add(texts(a="red"), notes={"a": {"digest": "1 2"}, "empty": {"x": [1]}})
    entries = await index.entries()
    assert {id_: (entry.texts, entry.note) for id_, entry in entries.items()} == {
        "a": (1, {"digest": "1 2"}),
        "empty": (0, {"x": [1]}),
    }
    await index.remove(["empty"])
    assert list(await index.entries()) == ["a"]


async def test_equal_texts_come_in_the_order_they_were_added(index):
    await index.add([IndexedText(str(number), "same words") for number in range(20)])
    assert await found(index, "words", 20) == [str(number) for number in range(20)]


@pytest.mark.parametrize("id_", ["", "{x}", "a b\nc", "名前", "\udcff", "0 0 {}"])
async def test_any_id_and_any_text_will_do(index, id_):
    nasty = IndexedText(id_, "word \ud800 \0 {}", fields={"k": "\udfff"})
    await index.add([nasty], notes={id_: {"n": "\ud800"}})
    assert await index.get([id_]) == {id_: [nasty]}
    assert await found(index, "word") == [id_]
    assert list(await index.entries()) == [id_]
    assert await index.remove([id_]) == 1


async def test_a_query_of_a_megabyte_is_answered(index):
    await index.add(texts(a="w5 w9"))
    assert await found(index, " ".join(f"w{number}" for number in range(150_000))) == ["a"]


async def test_nothing_to_add_or_remove_is_no_error(index):
    await index.add([])
    assert await index.remove([]) == 0
    assert await index.search("") == []
    assert await index.search("the of and", 5) == []


async def test_other_indexes_are_left_alone(client, index):
    other = TextIndex(client, "treadle:main:docs:{test2}")
    await index.add(texts(a="red"))
    await other.add(texts(b="red"))
    await index.drop()
    assert await found(other, "red") == ["b"]


async def test_every_key_has_the_ttl_and_each_write_renews_it(client, redis_server):
    index = TextIndex(client, KEY, ttl=timedelta(hours=1))
    await index.add(texts(a="red"))
    with redis_server.client() as raw:
        keys = raw.keys()
        assert len(keys) == 5
        for key in keys:
            raw.expire(key, 10)
        await index.add(texts(b="green"))
        assert all(3590 < raw.ttl(key) <= 3600 for key in raw.keys())  # noqa: SIM118


@pytest.mark.any_keys("the index is asked to lie outside every tenant")
async def test_all_keys_share_one_slot(client, redis_server):
    await TextIndex(client, "treadle:main:docs:{x}").add(texts(a="red"))
    await TextIndex(client, "no-tag").add(texts(a="red"))
    with redis_server.client() as raw:
        tags = {key.split(b"{")[1].split(b"}")[0] for key in raw.keys()}  # noqa: SIM118
    assert tags == {b"x", b"no-tag"}


async def test_another_language_is_refused_and_not_mixed_in(client, index):
    await index.add(texts(a="running"))
    german = TextIndex(client, KEY, language="german")
    for attempt in (german.add(texts(b="laufen")), german.search("laufen")):
        with pytest.raises(ConfigError, match=r"'english/1'.*'german/1'.*Drop it"):
            await attempt
    assert await index.count() == 1
    with pytest.raises(UnknownNameError, match="'german'"):
        TextIndex(client, KEY, language="germann")


async def test_an_id_with_too_many_texts_is_refused(index, monkeypatch):
    monkeypatch.setattr(index_module, "SEGMENT_SIZE", 3)
    with pytest.raises(InputError, match="'big' has 4 texts"):
        await index.add([IndexedText("big", "x")] * 4)


async def test_what_cannot_be_written_is_refused_before_anything_is(index):
    with pytest.raises(TypeError):
        await index.add([IndexedText("a", "x", fields={"bad": object()})])
    with pytest.raises(ValueError, match="not JSON compliant"):
        await index.add([IndexedText("a", "x", fields={"bad": math.nan})])
    assert await index.count() == 0


async def test_it_recovers_from_keys_that_redis_evicted(index, redis_server):
    await index.add(texts(a="red", b="green"))
    with redis_server.client() as raw:
        raw.delete(f"{KEY}:docs")
        assert await index.search("red") == []
        raw.delete(f"{KEY}:meta")
    assert await index.search("red") == []
    await index.add(texts(c="red"))
    assert await found(index, "red green") == ["c"]
    assert await index.count() == 1


async def test_writers_in_other_clients_are_seen(redis_server, index):
    async with connect(redis_server.url) as second:
        other = TextIndex(second, KEY)
        await asyncio.gather(
            *(
                writer.add([IndexedText(f"{name}{number}", f"word {name}{number}")])
                for number in range(30)
                for name, writer in (("a", index), ("b", other))
            )
        )
        assert await other.count() == 60
        assert len(await index.search("word", 100)) == 60
        assert await found(index, "b17", 1) == ["b17"]


async def test_concurrent_replacements_of_an_id_never_mix(redis_server, index):
    async with connect(redis_server.url) as second:
        other = TextIndex(second, KEY)

        async def write(writer: TextIndex, version: str, size: int) -> None:
            items = [IndexedText("file", f"version {version}") for _ in range(size)]
            await writer.add(items, notes={"file": {"version": version}})

        await asyncio.gather(
            *(
                write(writer, f"{name}{number}", number % 7 + 1)
                for number in range(40)
                for name, writer in (("a", index), ("b", other))
            )
        )
    entry = (await index.entries())["file"]
    hits = await index.search("version", 100)
    assert {hit.text for hit in hits} == {f"version {entry.note['version']}"}
    assert len(hits) == entry.texts == await index.count()


async def test_dead_texts_are_swept_out(index, redis_server, monkeypatch):
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 10)
    monkeypatch.setattr(index_module, "TEXTS_PER_WRITE", 4)
    kept = {f"keep{number}": f"common keep{number}" for number in range(12)}
    await index.add(texts(**kept), notes={id_: {"id": id_} for id_ in kept})
    for version in range(50):
        await index.add([IndexedText("busy", f"common version{version}")])
    assert sorted(await found(index, "common", 100)) == sorted([*kept, "busy"])
    assert await found(index, "version49") == ["busy"]
    assert (await index.entries())["keep3"].note == {"id": "keep3"}
    in_order = [hit.id for hit in await index.search("common", 100) if hit.id != "busy"]
    assert in_order == list(kept)
    with redis_server.client() as raw:
        postings = [key for key in raw.keys() if key.endswith(b":postings")]  # noqa: SIM118
        assert len(postings) == 1
        assert raw.hlen(postings[0]) < 12 + 20 + 2


async def test_two_sweeps_at_once_and_a_writer_lose_nothing(index, redis_server, monkeypatch):
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 5)
    monkeypatch.setattr(index_module, "TEXTS_PER_WRITE", 3)
    async with connect(redis_server.url) as second:
        other = TextIndex(second, KEY)

        async def churn(writer: TextIndex, name: str) -> None:
            for version in range(25):
                for part in range(3):
                    await writer.add([IndexedText(f"{name}{part}", f"word {name} v{version}")])

        await asyncio.gather(churn(index, "a"), churn(other, "b"), churn(other, "c"))
    hits = await index.search("word", 100)
    assert sorted((hit.id, hit.text) for hit in hits) == sorted(
        (f"{name}{part}", f"word {name} v24") for name in "abc" for part in range(3)
    )


# The index against the formula.


def brute_force(items: list[IndexedText], query: str) -> list[tuple[IndexedText, float]]:
    analyzer = Analyzer()
    bags = [Counter(analyzer.terms(f"{item.context}\n{item.text}")) for item in items]
    lengths = [sum(bag.values()) for bag in bags]
    average = sum(lengths) / len(lengths) if items else 0
    scored = []
    for item, bag, length in zip(items, bags, lengths, strict=True):
        score = 0.0
        for term in analyzer.terms(query):
            holding = sum(term in other for other in bags)
            idf = math.log(1 + (len(items) - holding + 0.5) / (holding + 0.5))
            norm = 1.2 * (0.25 + 0.75 * length / average) if average else 0.3
            score += idf * bag[term] * 2.2 / (bag[term] + norm)
        if score > 0:
            scored.append((item, score))
    return sorted(scored, key=lambda pair: -pair[1])


words = st.sampled_from(["cat", "cats", "dog", "RedisSaver", "the", "redis", "foo.bar", "x", "42"])
sentences = st.lists(words, max_size=12).map(" ".join)
ids = st.sampled_from("abcdef")
additions = st.lists(st.builds(IndexedText, ids, sentences, sentences), max_size=5)
operations = st.one_of(
    st.tuples(st.just("add"), additions), st.tuples(st.just("remove"), st.lists(ids, max_size=4))
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(operations, max_size=25), sentences)
async def test_it_ranks_as_the_formula_does_whatever_was_done(
    redis_server, monkeypatch, steps, query
):
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 4)
    model: dict[str, list[IndexedText]] = {}
    with redis_server.client() as raw:
        raw.flushall()
    async with connect(redis_server.url) as client:
        index = TextIndex(client, KEY)
        for kind, value in steps:
            if kind == "add":
                await index.add(value)
                model |= {item.id: [] for item in value}
                for item in value:
                    model[item.id].append(item)
            else:
                await index.remove(value)
                for id_ in value:
                    model.pop(id_, None)
        expected = brute_force([item for held in model.values() for item in held], query)
        hits = await index.search(query, 1000)
        assert await index.get("abcdef") == model
        assert await index.count() == sum(map(len, model.values()))
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected])
    by_text = Counter((round(score, 9), item.id, item.text) for item, score in expected)
    assert Counter((round(hit.score, 9), hit.id, hit.text) for hit in hits) == by_text


async def test_it_works_on_a_cluster(cluster_url, monkeypatch):
    monkeypatch.setattr(index_module, "FEWEST_DEAD_TO_SWEEP", 4)
    async with connect(cluster_url) as client:
        indexes = [TextIndex(client, f"treadle:main:docs:{{{name}}}") for name in "abcdef"]
        for index in indexes:
            for version in range(8):
                await index.add(texts(x=f"red {version}", y="green"), notes={"x": {"v": version}})
            assert await found(index, "red 7") == ["x"]
            assert await found(index, "red 6") == ["x"]
            assert (await index.entries())["x"].note == {"v": 7}
            assert await index.remove(["y"]) == 1
            assert await index.drop() > 0


async def test_a_process_that_dies_in_the_middle_leaves_whole_ids(redis_url):
    script = f"""
import asyncio
from treadle.memory import connect
from treadle.memory.textindex import IndexedText, TextIndex

async def main():
    async with connect({redis_url!r}) as client:
        index = TextIndex(client, {KEY!r})
        for version in range(100_000):
            await index.add(
                [IndexedText(f"file{{n % 5}}", f"word v{{version}}") for n in range(20)],
                notes={{f"file{{n}}": {{"version": version}} for n in range(5)}},
            )
asyncio.run(main())
"""
    async with connect(redis_url) as client:
        index = TextIndex(client, KEY)
        for _ in range(3):
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
            try:
                await eventually(lambda: has_come_far(index), within_seconds=60)
            finally:
                process.kill()
                await process.wait()
            entries = await index.entries()
            held = await index.get(entries)
            for id_, entry in entries.items():
                assert [item.text for item in held[id_]] == [f"word v{entry.note['version']}"] * 4
            hits = await index.search("word", 1000)
            assert sorted(hit.text for hit in hits) == sorted(
                item.text for items in held.values() for item in items
            )
            await index.drop()


async def has_come_far(index: TextIndex) -> bool:
    entries = await index.entries()
    return bool(entries) and max(entry.note["version"] for entry in entries.values()) > 20


async def test_an_index_grows_over_more_than_one_segment(redis_url):
    async with connect(redis_url) as client:
        index = TextIndex(client, KEY)
        await index.add(
            IndexedText(f"{number // 100}", f"word n{number}") for number in range(66_000)
        )
        assert await index.count() == 66_000
        for number in (5, 65_535, 65_536, 65_999):
            (hit,) = await index.search(f"n{number}")
            assert hit.text == f"word n{number}"
        assert len(await index.search("word", 70_000)) == 66_000
        await index.remove(str(group) for group in range(650))
        assert sorted(hit.text for hit in await index.search("word", 2_000)) == sorted(
            f"word n{number}" for number in range(65_000, 66_000)
        )
        assert await client.exists(f"{KEY}:0:postings") == 0
        assert await index.drop() == len(["meta", "ids", "docs", "length", "postings"])
        assert await client.keys() == []
