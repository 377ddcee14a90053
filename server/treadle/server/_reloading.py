"""Starting the server again whenever a file of the project changes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from socket import socket

import uvicorn
from uvicorn.supervisors.basereload import BaseReload

_WATCHED = {".py", ".yaml", ".yml", ".toml", ".json", ".md", ".env"}


def serve_again(serve: Callable[[list[socket] | None], None], project: Path, bound: socket) -> None:
    """Serve in a process of its own, and in a new one after each change of a file.

    Args:
        serve: what the process runs; it must be possible to pickle.
        project: the folder whose files are watched.
        bound: the socket, which stays open in between.
    """
    config = uvicorn.Config("", reload=True, reload_dirs=[str(project)])
    _ProjectReload(config, serve, [bound], project).run()


class _ProjectReload(BaseReload):
    """Looks for files that are new, changed or gone; agents and settings as well as code."""

    def __init__(
        self,
        config: uvicorn.Config,
        target: Callable[[list[socket] | None], None],
        sockets: list[socket],
        project: Path,
    ) -> None:
        super().__init__(config, target, sockets)
        self.reloader_name = "Treadle"
        self._project = project
        self._known = _stamps(project)  # Before the first process reads them.

    def should_restart(self) -> list[Path] | None:
        """Return what changed since it was asked last; nothing is missed while one starts."""
        self.pause()
        known, self._known = self._known, _stamps(self._project)
        return sorted({path for path, _ in known.items() ^ self._known.items()}) or None


def _stamps(project: Path) -> Mapping[Path, int]:
    """Return when each file that is watched was changed."""
    found: dict[Path, int] = {}
    for path in _watched(project):
        with suppress(OSError):  # It went meanwhile.
            found[path] = path.stat().st_mtime_ns
    return found


def _watched(folder: Path) -> Iterator[Path]:
    with suppress(OSError):  # It went meanwhile, or cannot be read.
        for path in folder.iterdir():
            if path.name.startswith(".") and path.name != ".env":
                continue  # Such as .git and .venv.
            if path.is_dir() and not path.is_symlink():
                yield from _watched(path) if path.name != "node_modules" else ()
            elif path.suffix in _WATCHED or path.name == ".env":
                yield path
