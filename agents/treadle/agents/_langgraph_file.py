"""``langgraph.json``: the graphs of a project that was made for LangGraph's own server."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from treadle.core.errors import ConfigError

LANGGRAPH_FILE = "langgraph.json"
"""The file's name, in the project's folder."""
_MAX_BYTES = 1_000_000


class NamedGraph(BaseModel):
    """A graph with what is said about it.

    Attributes:
        path: ``path.py:name``.
        description: what it is for.
    """

    path: str
    description: str = ""


class LangGraphFile(BaseModel):
    """What Treadle reads of the file; the rest is for LangGraph's own server.

    Attributes:
        graphs: the graphs by their names.
        env: environment variables, or the file that holds them.
        dependencies: folders and packages; see `local_folders`.
    """

    graphs: Mapping[str, NamedGraph | str] = Field(default_factory=dict)
    env: Mapping[str, str] | str | None = None
    dependencies: tuple[str, ...] = ()

    def graph(self, name: str) -> NamedGraph:
        """Return the graph of a name."""
        found = self.graphs[name]
        return found if isinstance(found, NamedGraph) else NamedGraph(path=found)

    def local_folders(self, project: Path) -> list[Path]:
        """Return the folders among the dependencies; graphs may import what lies in them."""
        folders = [(project / name).resolve() for name in self.dependencies]
        return [folder for folder in folders if folder.is_dir()]

    def packages(self, project: Path) -> list[str]:
        """Return the other dependencies: packages, which somebody else has to install."""
        return [name for name in self.dependencies if not (project / name).is_dir()]


def langgraph_file(project: Path) -> LangGraphFile:
    """Read the project's ``langgraph.json``; an empty one where there is none.

    Raises:
        ConfigError: it cannot be read or holds something wrong.
    """
    path = project / LANGGRAPH_FILE
    try:
        stat = path.stat()
    except OSError:
        return LangGraphFile()
    if not S_ISREG(stat.st_mode):
        return LangGraphFile()
    return _parsed(path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=16)
def _parsed(path: Path, version: tuple[int, int, int]) -> LangGraphFile:
    """Read a version of a file: its number, when it was written, and its size in bytes."""
    try:
        if version[-1] > _MAX_BYTES:
            raise ConfigError(f"is larger than {_MAX_BYTES} bytes.", path=path)
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return LangGraphFile.model_validate(data)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", path=path) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{place}: {first['msg']}.", path=path) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"this is not valid JSON: {error}.", path=path) from None
