"""Files inside one folder: no path, link or race leads outside."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.core.calls import Effect
from treadle.core.errors import ConfigError, ToolError
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool
from treadle.tools.files import MAX_BYTES, Folder

SECRET = "outside"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "secret.txt").write_text(SECRET)
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "linked").symlink_to(tmp_path)
    return inside


OUTSIDE = [
    *("../secret.txt", "sub/../../secret.txt", "sub/../a.txt", "..", "/etc/passwd", "~/x", "//x"),
    *("link.txt", "linked/secret.txt", "linked/inside/a.txt", "..\\secret.txt", "a\0b", "./../x"),
    *("", ".", "/", "sub", "a.txt/b", "x" * 300, "\ud800"),
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_lies_outside_or_is_no_file_is_not_read(path: str, root: Path) -> None:
    with pytest.raises(ToolError) as caught:
        Folder(root).read(path)
    assert str(root) not in str(caught.value)


@pytest.mark.parametrize("path", [path for path in OUTSIDE if path != "link.txt"])
def test_nothing_is_written_outside(path: str, root: Path) -> None:
    with pytest.raises(ToolError):
        Folder(root).write(path, "x")
    assert (root.parent / "secret.txt").read_text() == SECRET
    assert {each.name for each in root.parent.iterdir()} == {"inside", "secret.txt"}


def test_writing_to_a_link_replaces_the_link_and_not_what_it_leads_to(root: Path) -> None:
    Folder(root).write("link.txt", "mine")
    assert not (root / "link.txt").is_symlink()
    assert (root.parent / "secret.txt").read_text() == SECRET


def test_a_file_is_written_whole_and_read_again(root: Path) -> None:
    folder = Folder(root)
    folder.write("new/deep/b.md", "Zoë\n")
    folder.write("new/deep/b.md", "again")
    assert folder.read("./new//deep/b.md") == "again"
    assert folder.names("new/deep") == ["b.md"]
    assert folder.names("") == ["a.txt", "new/", "sub/"]


def test_pipes_binaries_and_long_files_are_told(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "binary").write_bytes(b"\xff\xfe\x00")
    (root / "long").write_bytes(b"x" * (MAX_BYTES + 1))
    for name, reason in [("pipe", "no file"), ("binary", "no text"), ("long", "longer than")]:
        with pytest.raises(ToolError, match=reason):
            Folder(root).read(name)


def test_a_folder_exchanged_for_a_link_meanwhile_leads_nowhere(root: Path) -> None:
    (root / "sub" / "secret.txt").write_text("inside")
    done = threading.Event()

    def exchange() -> None:
        while not done.is_set():
            (root / "sub").rename(root / "aside")
            (root / "sub").symlink_to(root.parent)
            (root / "sub").unlink()
            (root / "aside").rename(root / "sub")

    other = threading.Thread(target=exchange)
    other.start()
    found = set()
    try:
        for _ in range(2_000):
            try:
                found.add(Folder(root).read("sub/secret.txt"))
            except ToolError:
                continue
    finally:
        done.set()
        other.join()
    assert found <= {"inside"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["..", ".", "", "sub", "linked", "secret.txt", "~", "é"])))
def test_no_path_reads_what_lies_outside(root: Path, steps: list[str]) -> None:
    with pytest.raises(ToolError):
        Folder(root).read("/".join(steps))


async def test_the_tools_work_in_the_folder_of_the_settings(root: Path) -> None:
    (root.parent / "treadle.toml").write_text('[tools.files]\nroot = "inside"\n')
    context = ToolContext(root.parent, Settings.load(root.parent), None)
    reading, writing, listing = (
        build_tool(name, context) for name in ("read_file", "write_file", "list_files")
    )
    effects = [each.effect for each in (reading, writing, listing)]  # type: ignore[attr-defined]
    assert effects == [Effect.READ, Effect.ONCE, Effect.READ]
    assert "Wrote 5" in await writing.ainvoke({"path": "b.txt", "text": "three"})
    assert await listing.ainvoke({}) == "a.txt\nb.txt\nsub/"
    assert "two" in await reading.ainvoke({"path": "a.txt", "first_line": 2})


def test_without_a_folder_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[tools\.files\]"):
        build_tool("read_file", ToolContext(tmp_path, Settings(), None))


def test_reading_what_is_no_file_leaves_nothing_open(root: Path) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for path in ("sub", "link.txt", "linked/x", "none", "a.txt/b"):
        with pytest.raises(ToolError):
            Folder(root).read(path)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
