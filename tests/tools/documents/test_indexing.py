"""Indexing files and searching them, on a real Redis."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.pdfs import pdf
from treadle.core.errors import InputError
from treadle.core.settings import Settings
from treadle.memory import connect
from treadle.tools import Effect, ToolContext, build_tool
from treadle.tools.documents import IndexedFile, IndexReport, drop, index, indexed_files

SECRET = "The secret word of the valley is marmalade."


@pytest.fixture
async def context(redis_url, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    async with connect(redis_url) as client:
        yield ToolContext(project, Settings(), client)


@pytest.fixture
def docs(context):
    folder = context.project / "docs"
    write(
        folder,
        {
            "guide.md": f"# Guide\n\n## Words\n\n{SECRET}\n",
            "deep/er/notes.txt": "Notes about geese.\n",
            "page.html": "<title>Page</title>\n<p>About herons.</p>",
            "book.pdf": pdf(["Nothing.", "About storks."]),
        },
    )
    return folder


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


async def ask(context: ToolContext, query: str, **arguments: int) -> tuple[str, list[dict]]:
    tool = build_tool("search_documents", context)
    call = {"name": tool.name, "args": {"query": query, **arguments}, "id": "1"}
    message = await tool.ainvoke({**call, "type": "tool_call"})
    return message.content, message.artifact["sources"]


async def files(context: ToolContext) -> list[str]:
    return [file.uri for file in await indexed_files(context)]


async def test_what_was_indexed_is_found_with_its_place(context, docs):
    report = await index([docs], context)
    assert report == IndexReport(added=4, passages=5)
    text, sources = await ask(context, "What is the secret word?")
    assert SECRET in text
    assert sources == [
        {"title": "Guide > Words", "uri": "docs/guide.md", "locator": "line 5"},
    ]
    assert (await ask(context, "storks"))[1] == [
        {"title": "book.pdf", "uri": "docs/book.pdf", "locator": "page 2"}
    ]
    assert (await ask(context, "heron"))[1] == [
        {"title": "Page", "uri": "docs/page.html", "locator": "line 2"}
    ]


async def test_a_passage_of_several_lines_names_them(context):
    write(context.project, {"a.txt": "\none goose\ntwo geese\n\nthree\n"})
    await index(["a.txt"], context)
    assert (await ask(context, "goose"))[1][0]["locator"] == "lines 2-5"


async def test_an_empty_index_and_an_empty_result_say_so(context, docs):
    assert (await ask(context, "x"))[0] == "No documents are indexed; run 'treadle index PATH'."
    await index(["docs"], context)
    text, sources = await ask(context, "unicorn")
    assert text == "Nothing in the indexed documents matches 'unicorn'."
    assert sources == []


@pytest.mark.parametrize(("asked", "given"), [(2, 2), (0, 1), (-5, 1), (1_000, 20)])
async def test_as_many_results_as_asked_for_within_reason(context, asked, given):
    write(context.project, {f"{number}.txt": f"goose {number}" for number in range(30)})
    await index(["."], context)
    assert len((await ask(context, "goose", max_results=asked))[1]) == given


async def test_a_passage_that_stands_in_two_files_is_shown_once(context):
    write(context.project, {"a.txt": "goose", "b.txt": "goose", "c.txt": "goose and duck"})
    await index(["."], context)
    assert [source["uri"] for source in (await ask(context, "goose"))[1]] == ["a.txt", "c.txt"]


async def test_only_what_changed_is_read_again(context, docs):
    await index([docs], context)
    assert await index([docs], context) == IndexReport(unchanged=4, passages=5)
    write(docs, {"guide.md": "# Guide\n\nThe word is quince.", "new.txt": "new"})
    (docs / "page.html").unlink()
    report = await index([docs], context)
    assert report == IndexReport(added=1, changed=1, unchanged=2, removed=1, passages=5)
    assert "quince" in (await ask(context, "word"))[0]
    assert "Nothing" in (await ask(context, "marmalade"))[0]


async def test_what_vanished_is_removed_below_the_given_paths_only(context, docs):
    write(context.project, {"other/a.txt": "other"})
    await index(["docs", "other"], context)
    (docs / "guide.md").unlink()
    (context.project / "other/a.txt").unlink()
    assert (await index(["docs"], context)).removed == 1
    assert "other/a.txt" in await files(context)
    assert (await index(["other/a.txt"], context)).removed == 1
    assert "other/a.txt" not in await files(context)


async def test_a_folder_that_vanished_is_removed_but_one_that_never_was_is_an_error(context, docs):
    await index(["docs"], context)
    for path in [*docs.rglob("*.*")]:
        path.unlink()
    (docs / "deep/er").rmdir()
    (docs / "deep").rmdir()
    docs.rmdir()
    assert await index(["docs"], context) == IndexReport(removed=4)
    with pytest.raises(InputError, match=r"There is no file or folder .*/project/docs"):
        await index(["docs"], context)


async def test_files_outside_the_project_have_absolute_paths(context, tmp_path):
    write(tmp_path, {"else/where.txt": "geese"})
    await index([tmp_path / "else"], context)
    assert await files(context) == [str(tmp_path / "else/where.txt")]
    await index(["../else"], context)
    assert await files(context) == [str(tmp_path / "else/where.txt")]


async def test_what_is_not_a_persons_document_is_passed_over(context):
    write(
        context.project,
        {
            "kept.md": "kept",
            ".git/config.txt": "no",
            ".hidden.md": "no",
            "node_modules/x/readme.md": "no",
            "venv/pyvenv.cfg": "no",
            "venv/lib/a.txt": "no",
            "picture.png": b"\x89PNG",
            "unknown.xyz": "no",
        },
    )
    report = await index(["."], context)
    assert (await files(context), report.skipped) == (["kept.md"], [])


async def test_a_file_that_is_named_is_read_whatever_it_is_called(context):
    write(context.project, {".hidden": "geese", "data.xyz": "herons", "program.bin": b"\0"})
    report = await index([".hidden", "data.xyz", "program.bin"], context)
    assert await files(context) == [".hidden", "data.xyz"]
    assert report.skipped == [(context.project / "program.bin", "binary, not text")]


async def test_what_cannot_be_read_is_named_and_the_rest_is_indexed(context, docs):
    write(
        docs,
        {
            "locked.pdf": pdf(["x"], user_password="secret"),
            "broken.pdf": b"%PDF-1.7 broken",
            "binary.txt": b"\x00\x01",
            "latin.txt": "Grün".encode("latin-1"),
        },
    )
    report = await index(["docs"], context)
    assert report.added == 5
    assert {path.name: reason.split(":")[0] for path, reason in report.skipped} == {
        "binary.txt": "binary, not text",
        "broken.pdf": "damaged PDF",
        "locked.pdf": "encrypted",
    }
    assert "Grün" in (await ask(context, "grün"))[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
async def test_what_may_not_be_read_now_keeps_what_was_indexed_of_it(context, docs):
    await index(["docs"], context)
    (docs / "guide.md").chmod(0)
    (docs / "deep").chmod(0)
    try:
        report = await index(["docs"], context)
    finally:
        (docs / "deep").chmod(0o700)
    assert dict(report.skipped) == {
        docs / "guide.md": "permission denied",
        docs / "deep": "permission denied",
    }
    assert (report.unchanged, report.removed, report.passages) == (2, 0, 5)


async def test_a_file_that_became_unreadable_keeps_what_was_indexed_of_it(context, docs):
    await index(["docs"], context)
    write(docs, {"guide.md": b"\0"})
    report = await index(["docs"], context)
    assert (len(report.skipped), report.removed, report.passages) == (1, 0, 5)
    assert "marmalade" in (await ask(context, "secret word"))[0]


async def test_links_are_not_followed(context, docs, tmp_path):
    write(tmp_path, {"outside/private.txt": "private"})
    (docs / "folder").symlink_to(tmp_path / "outside")
    (docs / "file.txt").symlink_to(tmp_path / "outside/private.txt")
    (docs / "inside.md").symlink_to(docs / "guide.md")
    (docs / "dangling.md").symlink_to(docs / "nothing.md")
    (docs / "loop").symlink_to(docs)
    report = await index(["docs"], context)
    assert report.added == 4
    assert {(path.name, reason) for path, reason in report.skipped} == {
        ("folder", "a link that leads out of the folder"),
        ("file.txt", "a link that leads out of the folder"),
    }


async def test_a_pipe_is_not_waited_for(context):
    os.mkfifo(context.project / "pipe.txt")
    assert await index(["."], context) == IndexReport()
    report = await index(["pipe.txt"], context)
    assert report.skipped == [(context.project / "pipe.txt", "not a file or a folder")]


async def test_file_names_may_hold_anything(context):
    names = ["a {b}.txt", "new\nline.txt", "名前.txt"]
    write(context.project, {name: f"goose {name}" for name in names})
    assert (await index(["."], context)).added == 3
    assert (await index(["."], context)).unchanged == 3
    assert len((await ask(context, "goose"))[1]) == 3


async def test_names_that_are_no_text_are_skipped_and_can_be_shown(context):
    for name in (b"bad\xff.txt", b"bad\xff/inner.txt"):
        path = context.project / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        with suppress(OSError):  # Some file systems take no such names.
            path.write_text("goose")
    report = await index(["."], context)
    assert {reason for _, reason in report.skipped} <= {"its name is not UTF-8"}
    assert all(str(path).encode() for path, _ in report.skipped)
    assert await files(context) == []


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc/self/mem")
async def test_a_file_that_fails_while_it_is_read_is_named(context):
    report = await index(["/proc/self/mem"], context)
    assert [reason for _, reason in report.skipped] == ["input/output error"]


async def test_an_empty_file_is_remembered_as_read(context):
    write(context.project, {"empty.md": ""})
    assert await index(["."], context) == IndexReport(added=1)
    assert await index(["."], context) == IndexReport(unchanged=1)
    assert await indexed_files(context) == [IndexedFile("empty.md", 0)]


async def test_progress_is_told(context, docs):
    told: list[tuple[int, int, str]] = []
    await index(["docs"], context, on_progress=lambda *args: told.append((*args[:2], args[2].name)))
    names = ["book.pdf", "guide.md", "page.html", "notes.txt"]
    assert told == [*((at, 4, name) for at, name in enumerate(names)), (4, 4, "notes.txt")]


async def test_interrupted_work_is_kept_and_gone_on_with(context, monkeypatch):
    monkeypatch.setattr("treadle.tools.documents._indexing.PASSAGES_PER_WRITE", 2)
    write(context.project, {f"{number}.txt": "goose" for number in range(10)})

    def stop(done: int, total: int, path: Path) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await index(["."], context, on_progress=stop)
    assert len(await files(context)) == 6
    assert await index(["."], context) == IndexReport(added=4, unchanged=6, passages=10)


async def test_two_processes_may_index_at_once(context, redis_url, monkeypatch):
    monkeypatch.setattr("treadle.tools.documents._indexing.PASSAGES_PER_WRITE", 3)
    write(context.project, {f"{number}.txt": f"goose {number}" for number in range(30)})
    async with connect(redis_url) as second:
        other = ToolContext(context.project, context.settings, second)
        await asyncio.gather(index(["."], context), index(["."], other))
    assert [file.passages for file in await indexed_files(context)] == [1] * 30
    assert (await index(["."], context)).unchanged == 30


async def test_projects_and_tenants_are_kept_apart(context, docs, tmp_path):
    await index(["docs"], context)
    elsewhere = ToolContext(tmp_path, context.settings, context.redis)
    tenant = ToolContext(context.project, Settings(tenant="other"), context.redis)
    for other in (elsewhere, tenant):
        assert await indexed_files(other) == []
        assert "No documents are indexed" in (await ask(other, "secret"))[0]
        assert await drop(other) == 0
    assert len(await files(context)) == 4


async def test_dropping_leaves_no_key(context, docs):
    await index(["docs"], context)
    assert await drop(context) == len([b"meta", b"ids", b"docs", b"length", b"postings"])
    assert await context.redis.keys() == []
    assert (await index(["docs"], context)).added == 4


def test_the_tool_declares_that_it_only_reads(context):
    assert build_tool("search_documents", context).effect is Effect.READ


async def test_a_huge_file_and_a_huge_question(context):
    lines = (f"Line {number} tells of bird{number % 5_000}." for number in range(60_000))
    write(context.project, {"huge.txt": "\n".join(lines)})
    report = await index(["."], context)
    assert report.passages > 1_000
    text, sources = await ask(context, "bird4321 " * 100_000)
    assert "bird4321" in text
    assert sources[0]["uri"] == "huge.txt"
