"""Collections, conditions on files, watching, and a vector store in Redis's place."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.waiting import eventually
from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.settings import Settings
from treadle.memory import connect
from treadle.tools import ToolContext, build_tool
from treadle.tools.documents import IndexReport, _indexing, drop, index, indexed_files, watch
from treadle.tools.documents._collection import open_collection
from treadle.tools.documents._metadata import fits

LONG_AGO = 1_600_000_000


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture
async def redis(redis_url):
    async with connect(redis_url) as client:
        yield client


def context_of(project: Path, redis, **documents) -> ToolContext:
    return ToolContext(project, Settings(tools={"documents": documents}), redis)


async def ask(context: ToolContext, query: str, **arguments) -> str:
    return await build_tool("search_documents", context).ainvoke({"query": query, **arguments})


@pytest.fixture
def opened(monkeypatch):
    """Return the names of the files that were opened, in order."""
    names: list[str] = []
    load = _indexing.load

    def counted(path: Path) -> bytes:
        names.append(path.name)
        return load(path)

    monkeypatch.setattr(_indexing, "load", counted)
    return names


# Unchanged files.


async def test_a_file_that_looks_as_it_did_is_not_opened(redis, tmp_path, opened):
    context = context_of(tmp_path, redis)
    write(tmp_path, {"a.md": "Geese fly.", "b.md": "Herons stand."})
    await index(["."], context)
    assert sorted(opened) == ["a.md", "b.md"]
    report = await index(["."], context)
    assert (report.unchanged, len(opened)) == (2, 2)


async def test_a_file_that_only_looks_otherwise_is_opened_once_more(redis, tmp_path, opened):
    context = context_of(tmp_path, redis)
    write(tmp_path, {"a.md": "Geese fly."})
    await index(["."], context)
    os.utime(tmp_path / "a.md", (LONG_AGO + 9, LONG_AGO + 9))
    assert (await index(["."], context)).unchanged == 1
    assert (await index(["."], context)).unchanged == 1
    assert opened == ["a.md", "a.md"]
    assert "Geese fly" in await ask(context, "geese")


async def test_a_change_of_the_same_size_and_time_is_seen_where_it_may_be_hidden(redis, tmp_path):
    context = context_of(tmp_path, redis)
    path = tmp_path / "a.md"
    path.write_text("Geese fly.")
    now = path.stat().st_mtime_ns
    await index(["."], context)
    path.write_text("Goats eat.")
    os.utime(path, ns=(now, now))
    assert (await index(["."], context)).changed == 1


# Collections.


async def test_collections_are_searched_together_or_by_name(redis, tmp_path):
    context = context_of(tmp_path, redis, collections={"laws": "Statutes.", "mail": "Letters."})
    write(tmp_path, {"x/a.md": "Geese fly.", "y/b.md": "Geese pay tax.", "z/c.md": "Dear geese."})
    await index(["x"], context)
    await index(["y"], context, collection="laws")
    await index(["z"], context, collection="mail")
    assert [f.uri for f in await indexed_files(context, "laws")] == ["y/b.md"]
    everything = await ask(context, "geese")
    assert all(text in everything for text in ("fly", "tax", "Dear"))
    only = await ask(context, "geese", collection="laws")
    assert "tax" in only
    assert "fly" not in only
    assert "No collection is named 'lawz'" in await ask(context, "geese", collection="lawz")
    with pytest.raises(UnknownNameError, match=r"tools\.documents\.collections"):
        await index(["z"], context, collection="none")
    assert (
        "'laws': Statutes."
        in build_tool("search_documents", context).args["collection"]["description"]
    )
    for name in ("", "laws", "mail"):
        await drop(context, name)
    assert not await redis.keys("*docs:*")


def test_without_collections_the_model_is_not_asked_for_one(tmp_path):
    assert "collection" not in build_tool("search_documents", context_of(tmp_path, None)).args


# Conditions.

REPORT = "---\ntitle: Geese\nauthor: Ada\nyear: {year}\ntags: [bird, {tag}]\n---\n\nGeese fly.\n"


@pytest.fixture
async def reports(redis, tmp_path):
    context = context_of(tmp_path, redis)
    files = {f"in/{y}.md": REPORT.format(year=y, tag=f"t{y}") for y in range(2020, 2026)}
    write(tmp_path, {**files, "notes.txt": "Geese again."})
    await index(["."], context)
    return context


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"year": 2024}, {"in/2024.md"}),
        ({"year": "2024"}, {"in/2024.md"}),
        ({"Year": {"min": 2024}}, {"in/2024.md", "in/2025.md"}),
        ({"year": {"max": 2020}, "author": "ada"}, {"in/2020.md"}),
        ({"tags": "t2021"}, {"in/2021.md"}),
        ({"tags": ["t2021", "t2022"]}, {"in/2021.md", "in/2022.md"}),
        ({"type": "txt"}, {"notes.txt"}),
        ({"path": "in/202[45]*"}, {"in/2024.md", "in/2025.md"}),
        ({"modified": {"min": "2020-09-01", "max": "2020-09"}, "type": "txt"}, {"notes.txt"}),
        ({"modified": {"min": "2021-01-01"}}, set()),
        ({"author": "Bob"}, set()),
    ],
)
async def test_conditions_narrow_a_search(reports, where, found):
    tool = build_tool("search_documents", reports)
    arguments = {"query": "geese", "max_results": 20, "where": where}
    call = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    message = await tool.ainvoke(call)
    # Passages that are the same word for word are shown once: ask the collection itself too.
    shown = {source["uri"] for source in message.artifact["sources"]}
    collection = open_collection(reports)
    metas = {uri: e.note["meta"] for uri, e in (await collection.entries()).items()}
    files = {uri for uri, meta in metas.items() if fits(meta, where)}
    assert files == found
    assert {hit.id for hit in await collection.search("geese", 20, files)} == found
    assert shown <= found
    assert bool(shown) == bool(found)


async def test_a_condition_that_no_file_can_fit_says_what_there_is(reports):
    answer = await ask(reports, "geese", where={"autor": "Ada"})
    assert "No document says its 'autor'" in answer
    assert "author" in answer
    assert "bounds are 'min' and 'max'" in await ask(reports, "geese", where={"year": {"gt": 1}})


async def test_a_condition_that_is_written_to_take_long_is_refused(reports):
    assert "longer than 2,000 characters" in await ask(
        reports, "goose", where={"path": "[a-" * 20_000}
    )


@pytest.mark.parametrize(
    "front", ["[1, 2]", "a: [", "x: &a [*a]", "- b", "a: !!python/name:os.system", "k: {z: 1}"]
)
async def test_a_front_matter_that_is_none_hurts_nobody(redis, tmp_path, front):
    context = context_of(tmp_path, redis)
    write(tmp_path, {"a.md": f"---\n{front}\n---\n\nGeese fly.\n"})
    assert (await index(["."], context)).added == 1
    assert "Geese fly" in await ask(context, "geese", where={"type": "md"})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(JSON, JSON)
def test_any_condition_on_any_value_is_answered(value, wanted):
    assert fits({"k": value}, {"k": wanted}) in {True, False}


# Watching.


async def test_what_changes_while_it_is_watched_is_indexed(redis, tmp_path):
    context = context_of(tmp_path, redis)
    write(tmp_path, {"a.md": "Geese fly."})
    reports: list[IndexReport] = []

    async def keep() -> None:
        async for report in watch(["."], context, pause=timedelta(milliseconds=1)):
            reports.append(report)  # noqa: PERF401 - it never ends

    watching = asyncio.create_task(keep())
    await eventually(lambda: len(reports) == 1)
    write(tmp_path, {"b.md": "Herons stand."})
    await eventually(lambda: sum(report.added for report in reports) == 2)
    (tmp_path / "a.md").unlink()
    await eventually(lambda: sum(report.removed for report in reports) == 1)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert "Nothing in the indexed" in await ask(context, "geese")
    assert "Herons" in await ask(context, "herons")


# A vector store.

STORES = """
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
made = {}
def store(collection):
    if collection not in made:
        made[collection] = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    return made[collection]
def nothing(collection):
    return None
"""


async def test_a_vector_store_keeps_and_finds_the_passages(redis, tmp_path, opened):
    (tmp_path / "stores.py").write_text(STORES)
    context = context_of(tmp_path, redis, vector_store="stores.py:store")
    long = "\n\n".join(f"## Part {n}\n\nGeese of part {n}." for n in range(3))
    write(tmp_path / "docs", {"a.md": long, "b.md": "Herons stand."})
    assert (await index(["docs"], context)).passages == 4
    assert (await index(["docs"], context)).unchanged == 2
    assert len(opened) == 2
    answer = await ask(context, "b.md\n\nHerons stand.", max_results=1)
    assert "Herons stand." in answer
    only = await ask(context, "anything", where={"path": "docs/a.md"}, max_results=9)
    assert only.count("Geese of part") == 3
    (tmp_path / "docs" / "a.md").write_text("## Part 1\n\nGoats.")
    report = await index(["docs"], context)
    assert (report.changed, report.passages) == (1, 2)
    assert "Geese" not in await ask(context, "anything", max_results=9)
    (tmp_path / "docs" / "b.md").unlink()
    assert (await index(["docs"], context)).passages == 1
    await drop(context)
    assert not await redis.keys("*docs:*")
    assert "No documents are indexed" in await ask(context, "anything")


def test_what_is_no_vector_store_is_refused(tmp_path):
    (tmp_path / "stores.py").write_text(STORES)
    for name, told in [
        ("stores.py:nothing", "returned a NoneType, not a LangChain vector store"),
        ("stores.py:made", "is a dict, not a function"),
    ]:
        with pytest.raises(ConfigError, match=told):
            open_collection(context_of(tmp_path, _NoRedis(), vector_store=name))


class _NoRedis:
    def register_script(self, script: str) -> None:
        """Take any script."""
