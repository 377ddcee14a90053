"""The tools ``read_file``, ``write_file`` and ``list_files``: files inside one folder.

Every step of a path is opened from the folder above it and no link is followed, so neither ``..``,
nor a link, nor a folder that is exchanged for a link in the meantime leads outside.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from treadle.core.calls import Effect
from treadle.core.errors import ConfigError, ToolError
from treadle.core.sources import Passage, Source
from treadle.tools._contract import Tool, ToolResult, tool
from treadle.tools._registry import ToolContext

__all__ = ["Folder", "build_list_files", "build_read_file", "build_write_file"]

MAX_BYTES = 2_000_000
MAX_LISTED = 500
LINES = 200

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would be waited for without O_NONBLOCK.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Folder:
    """A folder that paths cannot lead out of.

    Attributes:
        root: where it is.
    """

    root: Path

    def read(self, path: str) -> str:
        """Return a file's text.

        Raises:
            ToolError: there is no such file inside, or it is too long or no text.
        """
        with (
            self._parent(path) as (folder, name),
            _told(path),
            _file(name, folder) as file,
        ):
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ToolError(f"{path!r} is no file.")
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ToolError(f"{path!r} is longer than {MAX_BYTES:,} bytes.")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise ToolError(f"{path!r} is no text in UTF-8.") from None

    def write(self, path: str, text: str) -> None:
        """Write a file, whole or not at all; folders on the way are made.

        Raises:
            ToolError: it does not lie inside, is too long, or cannot be written.
        """
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > MAX_BYTES:
            raise ToolError(f"The text is longer than {MAX_BYTES:,} bytes.")
        with self._parent(path, make=True) as (folder, name), _told(path):
            if _is_folder(name, folder):
                raise ToolError(f"{path!r} is a folder.")
            draft = f".{token_hex(8)}.part"
            try:
                with os.fdopen(os.open(draft, _WRITE, 0o666, dir_fd=folder), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                _remove(draft, folder)
                raise

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; folders end with a slash, links are left out.

        Raises:
            ToolError: there is no such folder inside.
        """
        with self._opened(_steps(path), path) as folder, os.scandir(folder) as entries:
            return sorted(
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not entry.is_symlink()
            )

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        *above, name = _steps(path) or [""]
        if not name:
            raise ToolError("The path names no file.")
        with self._opened(above, path, make=make) as folder:
            yield folder, name

    @contextmanager
    def _opened(self, steps: list[str], path: str, *, make: bool = False) -> Iterator[int]:
        with _told(path):
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for step in steps:
                with _told(path):
                    if make:
                        _make(step, folder)
                    below = os.open(step, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)


def _steps(path: str) -> list[str]:
    """Return the parts of a path inside."""
    if path.startswith(("/", "~")) or "\0" in path or "\\" in path:
        raise ToolError(f"{path!r} is no path inside the folder.", hint="Write it as 'notes/a.md'.")
    steps = [step for step in path.split("/") if step not in {"", "."}]
    if ".." in steps:
        raise ToolError(f"{path!r} leads out of its folder; '..' is not allowed.")
    return steps


def _make(name: str, folder: int) -> None:
    with suppress(FileExistsError):  # Whether it is a folder shows when it is opened.
        os.mkdir(name, dir_fd=folder)


def _file(name: str, folder: int) -> BinaryIO:
    opened = os.open(name, _READ, dir_fd=folder)
    try:
        return os.fdopen(opened, "rb")
    except OSError:  # It is a folder, and the descriptor is still ours.
        os.close(opened)
        raise


def _is_folder(name: str, folder: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say what the system refused in words that hold no path outside."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ToolError(
            f"{path!r} cannot be used: {reason}.", hint="See what there is with list_files."
        ) from None


def build_read_file(context: ToolContext) -> Tool:
    """Make ``read_file``.

    Raises:
        ConfigError: ``[tools.files] root`` is not set or no folder.
    """
    files = _folder(context)

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=15))
    def read_file(path: str, first_line: int = 1) -> ToolResult:
        """Read a text file, 200 lines at a time.

        Args:
            path: the file, such as notes/plan.md.
            first_line: the line to begin with, from 1.
        """
        lines = files.read(path).splitlines()
        first = max(first_line, 1)
        shown = lines[first - 1 : first - 1 + LINES]
        last = first + len(shown) - 1
        more = (
            f"There are {len(lines)} lines; read on from {last + 1}." if last < len(lines) else ""
        )
        if not shown:
            return ToolResult(f"There is nothing from line {first}: {len(lines)} lines in all.")
        source = Source(path, path, f"lines {first}-{last}")
        return ToolResult(more, [Passage("\n".join(shown), source)])

    return read_file


def build_write_file(context: ToolContext) -> Tool:
    """Make ``write_file``.

    Raises:
        ConfigError: ``[tools.files] root`` is not set or no folder.
    """
    files = _folder(context)

    @tool(effect=Effect.ONCE, time_limit=timedelta(seconds=15))
    def write_file(path: str, text: str) -> str:
        """Write a text file, in place of what it held before.

        Args:
            path: the file, such as notes/plan.md.
            text: all of its text.
        """
        files.write(path, text)
        return f"Wrote {len(text)} characters to {path}."

    return write_file


def build_list_files(context: ToolContext) -> Tool:
    """Make ``list_files``.

    Raises:
        ConfigError: ``[tools.files] root`` is not set or no folder.
    """
    files = _folder(context)

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=15))
    def list_files(path: str = "") -> str:
        """List what is in a folder.

        Args:
            path: the folder; the topmost one when empty.
        """
        names = files.names(path)
        left = len(names) - MAX_LISTED
        shown = "\n".join(names[:MAX_LISTED]) or "(empty)"
        return shown if left <= 0 else f"{shown}\n(and {left} more)"

    return list_files


def _folder(context: ToolContext) -> Folder:
    chosen = context.settings.tools.files.root
    if chosen is None:
        raise ConfigError(
            "the file tools need a folder.", hint='Set root = "files" under [tools.files].'
        )
    root = context.project / chosen.expanduser()
    if not root.is_dir():
        raise ConfigError(f"tools.files.root = {str(chosen)!r} is no folder.")
    return Folder(root)
