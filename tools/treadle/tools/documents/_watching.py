"""Keeping a collection up to date while files change."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from treadle.tools._registry import ToolContext
from treadle.tools.documents._files import find
from treadle.tools.documents._indexing import IndexReport, index, resolved

_LOOKING_SHARE = 20
"""Between two looks it is quiet for this many times as long as a look takes."""


async def watch(
    paths: Iterable[str | Path],
    context: ToolContext,
    *,
    collection: str = "",
    pause: timedelta = timedelta(seconds=2),
) -> AsyncGenerator[IndexReport, None]:
    """Index files and folders, then again whenever something below them changes, without end.

    Names, sizes and times are looked at, not contents, so that it works on every file system.

    Args:
        paths: files and folders; relative ones are relative to the project.
        context: the project, its settings and its Redis.
        collection: as for `index`.
        pause: the time between two looks; longer where a look takes long.

    Yields:
        What each indexing did.

    Raises:
        InputError: as for `index`.
        UnknownNameError: as for `index`.
    """
    places = [resolved(path, context.project.resolve()) for path in paths]
    loop = asyncio.get_running_loop()
    seen = b""
    while True:
        began = loop.time()
        now = await asyncio.to_thread(_look, places)
        took = loop.time() - began
        if now != seen:
            yield await index(places, context, collection=collection)
            seen = now
        await asyncio.sleep(max(pause.total_seconds(), _LOOKING_SHARE * took))


def _look(places: Sequence[Path]) -> bytes:
    """Return what changes when a file appears, changes or goes."""
    digest = hashlib.sha256()
    for path in find(places).files:
        try:
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        except OSError:
            digest.update(f"{path}\0gone\0".encode())
    return digest.digest()
