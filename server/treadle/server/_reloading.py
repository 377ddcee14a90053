"""Starting the server again whenever a file of the project changes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket

import uvicorn
from uvicorn.supervisors.statreload import StatReload

_WATCHED = {".py", ".yaml", ".yml", ".toml", ".json", ".md", ".env"}


def serve_again(serve: Callable[[list[socket] | None], None], project: Path, bound: socket) -> None:
    """Serve in a process of its own, and in a new one after each change of a file.

    Args:
        serve: what the process runs; it must be possible to pickle.
        project: the folder whose files are watched.
        bound: the socket, which stays open in between.
    """
    config = uvicorn.Config("", reload=True, reload_dirs=[str(project)])
    _ProjectReload(config, serve, [bound]).run()


class _ProjectReload(StatReload):
    def iter_py_files(self) -> Iterator[Path]:
        """Yield the files that are watched: agents and settings as well as code."""
        for folder in self.config.reload_dirs:
            yield from _watched(folder)


def _watched(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name != ".env":
            continue  # Such as .git and .venv.
        if path.is_dir() and not path.is_symlink():
            yield from _watched(path) if path.name != "node_modules" else ()
        elif path.suffix in _WATCHED or path.name == ".env":
            yield path
