"""``treadle agents``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.text import Text

from treadle.agents import Agent, agent_files, find_agent
from treadle.cli._console import out, print_json, rows
from treadle.cli._safe import visible
from treadle.core.errors import ConfigError, TreadleError
from treadle.core.settings import Settings, project_folder
from treadle.runtime import AgentCheck


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    graph: str
    tools: tuple[str, ...]
    origin: str
    description: str
    error: str = ""


def list_agents(project: Path, *, as_json: bool) -> None:
    """Print every agent, with what it is made of; one that cannot be asked, with the reason.

    Leaves with 2 when there is such a one.

    Raises:
        ConfigError: the project's settings are wrong, so that none of them can be asked.
    """
    folder = project_folder(project)
    problem, settings = None, Settings()
    try:
        settings = Settings.load(folder)
    except ConfigError as error:
        problem = error
    check = AgentCheck(folder, settings) if problem is None else None
    files = agent_files(folder, with_shipped=settings.shipped_agents)
    agents = [_look(name, path, folder, check) for name, path in files.items()]
    if as_json:
        print_json([asdict(agent) for agent in agents])
    else:
        _print(agents)
    if problem is not None:
        raise problem
    if any(agent.error for agent in agents):
        raise typer.Exit(2)


def _print(agents: Sequence[_Listed]) -> None:
    rows(
        ["agent", "graph", "tools", "from"],
        [[a.name, a.graph, ", ".join(a.tools), a.origin] for a in agents],
        prose=["tools"],
    )
    for agent in agents:
        about = Text(f"\n{agent.name}  ", style="bold")
        out.print(about.append(agent.description, style="default"), soft_wrap=True)
        if agent.error:
            out.print(Text(visible(agent.error), style="red"), soft_wrap=True)


def _look(name: str, path: Path, project: Path, check: AgentCheck | None) -> _Listed:
    """Look at an agent; without a check, which settings that are wrong allow none of, at its file.

    A file that can be read tells what its agent is made of, also where that cannot be made.
    """
    is_own = path.is_relative_to(project)
    origin = str(path.relative_to(project)) if is_own else "shipped"
    agent: Agent | None = None
    problem = ""
    try:
        agent = find_agent(name, project)
        if check is not None:
            check.check(name)
    except TreadleError as error:
        problem = str(error)
    if agent is None:
        return _Listed(name, "", (), origin, "", problem)
    return _Listed(name, agent.graph, agent.tools, origin, agent.description, problem)
