"""Finding agents by name: those of the project, and those that come with Treadle."""

import os
import time
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from treadle.agents._definition import Agent
from treadle.agents._langgraph_file import LANGGRAPH_FILE, langgraph_file
from treadle.core.errors import ConfigError, UnknownNameError

AGENT_FOLDER = "agents"
"""The folder of a project that holds its agent files."""
_SETTLED_SECONDS = 3.0
"""How long ago a file changed that will show by another time if it changes again."""
_SHIPPED = Path(str(files("treadle.agents"))) / "shipped"


def agent_files(project: Path, *, with_shipped: bool = True) -> dict[str, Path]:
    """Return the agent files by their agents' names; a project's come before shipped ones.

    A file's name, without ``.yaml``, is its agent's name. Each graph of a ``langgraph.json`` is an
    agent as well.

    Args:
        project: the project's folder.
        with_shipped: whether those that come with Treadle are among them.

    Raises:
        ConfigError: the ``langgraph.json`` is wrong.
    """
    root = str(project)
    versions = _version(f"{root}/{LANGGRAPH_FILE}"), _version(f"{root}/{AGENT_FOLDER}")
    return dict(_listed(project, with_shipped, versions))


def _version(path: str) -> tuple[int, ...]:
    """Return what is another one when a file, or the list of what a folder holds, has changed."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - every request asks for it
    except OSError:
        return ()
    # What changes twice within a tick of the file system's clock shows one time of change.
    is_young = time.time() - stat.st_mtime < _SETTLED_SECONDS
    return stat.st_ino, stat.st_mtime_ns, stat.st_size, time.monotonic_ns() if is_young else 0


@lru_cache(maxsize=64)
def _listed(project: Path, with_shipped: bool, _: tuple[tuple[int, ...], ...]) -> dict[str, Path]:
    """Look for the agent files; every request asks for them, and they seldom change."""
    found = dict(_shipped()) if with_shipped else {}
    found |= dict.fromkeys(langgraph_file(project).graphs, project / LANGGRAPH_FILE)
    found |= _files(project / AGENT_FOLDER)
    return dict(sorted(found.items()))


@cache
def _shipped() -> dict[str, Path]:
    return _files(_SHIPPED)


def _files(folder: Path) -> dict[str, Path]:
    """Return the agent files of a folder; ``.yaml`` comes before ``.yml``."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - makes no path of what is no agent file
    except OSError:
        return {}
    found: dict[str, Path] = {}
    for suffix in (".yml", ".yaml"):
        found |= {n.removesuffix(suffix): folder / n for n in names if n.endswith(suffix)}
    return found


def find_agent(name: str, project: Path) -> Agent:
    """Return the agent of that name.

    Raises:
        UnknownNameError: no agent file has that name.
        ConfigError: its file is wrong, with the line; or it gives another name than the file's.
    """
    known = agent_files(project)
    if name not in known:
        hint = f"An agent of your own is a file {AGENT_FOLDER}/NAME.yaml in the project."
        raise UnknownNameError("agent", name, known, hint=hint)
    if known[name].name == LANGGRAPH_FILE:
        return _of_langgraph(name, project)
    agent = Agent.from_file(known[name])
    if agent.name != name:
        raise ConfigError(
            f"the agent's name is {agent.name!r} and the file's {name!r}.",
            hint="Give both the same name, or leave 'name' out.",
            path=known[name],
        )
    return agent


def _of_langgraph(name: str, project: Path) -> Agent:
    graph = langgraph_file(project).graph(name)
    try:
        return Agent(name=name, graph=graph.path, description=graph.description)
    except ValidationError as error:
        raise ConfigError(
            f"the graph {name!r} has a name that no agent can have.",
            hint="Use lower-case letters, digits, '-' and '_', a letter first.",
            path=project / LANGGRAPH_FILE,
        ) from error
