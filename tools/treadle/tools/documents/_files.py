"""Finding the files to index."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from treadle.tools.documents._formats import is_document

SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages"})
ENVIRONMENT_MARK = "pyvenv.cfg"


@dataclass(slots=True)
class Found:
    """What a walk found.

    Attributes:
        files: the files to read, each once, in order.
        skipped: what could not be looked at, and why.
    """

    files: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find(roots: Iterable[Path]) -> Found:
    """Find the documents below the roots.

    A root that is a file is taken whatever its name is. Below a root that is a folder, files of
    formats that hold no text for people, hidden ones, and folders of dependencies are passed
    over. Links are not followed: what they point to inside the root is found in its own place.

    Args:
        roots: absolute paths without links.
    """
    found = Found()
    for root in roots:
        if root.is_dir():
            _walk(root, root, found)
        elif _is_regular(root):
            found.files.append(root)
        elif root.exists():
            found.skipped.append((root, "not a file or a folder"))
    found.files = list(dict.fromkeys(found.files))
    return found


def _walk(top: Path, root: Path, found: Found) -> None:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append((folder, _reason(error)))
            continue
        inner = list(_visible(entries))
        for entry in inner:
            path = Path(entry.path)
            if not _is_text(entry.name):
                found.skipped.append((folder / _readable(entry.name), "its name is not UTF-8"))
            elif entry.is_symlink():
                if _leads_out(path, root):
                    found.skipped.append((path, "a link that leads out of the folder"))
            elif entry.is_file() and is_document(path):
                found.files.append(path)
        folders += [
            Path(entry.path)
            for entry in reversed(inner)
            if entry.is_dir(follow_symlinks=False)
            and _is_text(entry.name)
            and _is_own(Path(entry.path))
        ]


def _visible(entries: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    return (entry for entry in entries if not entry.name.startswith("."))


def _is_text(name: str) -> bool:
    """Whether a name can be shown and sent; on some systems it is any bytes at all."""
    return name == _readable(name)


def _readable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_own(folder: Path) -> bool:
    """Whether a folder holds the user's own files rather than dependencies."""
    if folder.name in SKIPPED_FOLDERS:
        return False
    try:
        return not (folder / ENVIRONMENT_MARK).exists()
    except OSError:
        return True  # Listing it will fail too, and be reported.


def _leads_out(link: Path, root: Path) -> bool:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return False  # It leads nowhere or to itself.
    return not target.is_relative_to(root) and (target.is_dir() or is_document(link))


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
