"""``treadle agents``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.text import Text

from treadle.agents import agent_files, find_agent
from treadle.cli._console import out, print_json, rows
from treadle.core.errors import ConfigError
from treadle.core.settings import Settings, project_folder


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    graph: str
    tools: tuple[str, ...]
    origin: str
    description: str
    error: str = ""


def list_agents(project: Path, *, as_json: bool) -> None:
    """Print every agent, with what it is made of; one whose file is wrong, with what is wrong.

    Raises:
        ConfigError: the project's settings are wrong, so that none of them can be asked.
    """
    folder = project_folder(project)
    problem, with_shipped = None, True
    try:
        with_shipped = Settings.load(folder).shipped_agents
    except ConfigError as error:
        problem = error
    files = agent_files(folder, with_shipped=with_shipped)
    agents = [_look(name, path, folder) for name, path in files.items()]
    if as_json:
        print_json([asdict(agent) for agent in agents])
    else:
        _print(agents)
    if problem is not None:
        raise problem


def _print(agents: Sequence[_Listed]) -> None:
    rows(
        ["agent", "graph", "tools", "from"],
        [[a.name, a.graph, ", ".join(a.tools), a.origin] for a in agents],
    )
    for agent in agents:
        about = Text(f"\n{agent.name}  ", style="bold")
        style = "red" if agent.error else "default"
        out.print(about.append(agent.error or agent.description, style=style), soft_wrap=True)


def _look(name: str, path: Path, project: Path) -> _Listed:
    is_own = path.is_relative_to(project)
    origin = str(path.relative_to(project)) if is_own else "shipped"
    try:
        agent = find_agent(name, project)
    except ConfigError as error:
        return _Listed(name, "", (), origin, "", str(error))
    return _Listed(name, agent.graph, agent.tools, origin, agent.description)
