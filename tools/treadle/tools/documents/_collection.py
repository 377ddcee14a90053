"""The project's index in Redis: a text index whose ids are files."""

from dataclasses import dataclass
from pathlib import Path

from treadle.core.settings import project_collection
from treadle.memory.textindex import TextIndex
from treadle.tools._registry import ToolContext


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that is in the index.

    Attributes:
        uri: its path: relative to the project if it lies inside, absolute otherwise.
        passages: the number of its passages.
    """

    uri: str
    passages: int


async def indexed_files(context: ToolContext) -> list[IndexedFile]:
    """Return the files in the project's index, by path."""
    entries = await open_index(context).entries()
    return [IndexedFile(uri, entry.texts) for uri, entry in sorted(entries.items())]


async def drop(context: ToolContext) -> int:
    """Remove the project's index.

    Returns:
        how many keys were removed from Redis.
    """
    return await open_index(context).drop()


def open_index(context: ToolContext) -> TextIndex:
    """Return the project's index; it need not exist yet."""
    collection = project_collection(context.project, context.settings)
    return TextIndex(context.redis, f"{context.settings.prefix}docs:{{{collection}}}")


def uri_of(path: Path, project: Path) -> str:
    """Return the id of a file, given absolute paths without links."""
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)


def path_of(uri: str, project: Path) -> Path:
    """Return the file of an id."""
    return project / uri
