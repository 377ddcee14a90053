"""``treadle agents``."""

from pathlib import Path

from treadle.agents import agent_files, find_agent
from treadle.cli._console import out, print_json, rows
from treadle.core.errors import ConfigError
from treadle.core.settings import project_folder


def list_agents(project: Path, *, as_json: bool) -> None:
    """Print every agent, with what it is made of; one whose file is wrong, with what is wrong."""
    folder = project_folder(project)
    listed = [_describe(name, path, folder) for name, path in agent_files(folder).items()]
    if as_json:
        print_json(listed)
        return
    rows(
        ["agent", "graph", "tools", "from"],
        [[row["name"], row["graph"], ", ".join(row["tools"]), row["from"]] for row in listed],
    )
    for row in listed:
        out.print(f"\n[bold]{row['name']}[/]  {row['description'] or row['error']}", soft_wrap=True)


def _describe(name: str, path: Path, project: Path) -> dict[str, str | list[str]]:
    is_own = path.is_relative_to(project / "agents")
    row: dict[str, str | list[str]] = {
        "name": name,
        "description": "",
        "graph": "",
        "tools": [],
        "from": str(path.relative_to(project)) if is_own else "shipped",
        "error": "",
    }
    try:
        agent = find_agent(name, project)
    except ConfigError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "description": agent.description,
        "graph": agent.graph,
        "tools": list(agent.tools),
    }
