"""Finding agents by name: those of the project, and those that come with Treadle."""

from importlib.resources import files
from pathlib import Path

from treadle.agents._definition import Agent
from treadle.core.errors import ConfigError, UnknownNameError

AGENT_FOLDER = "agents"
"""The folder of a project that holds its agent files."""
_SHIPPED = Path(str(files("treadle.agents"))) / "shipped"


def agent_files(project: Path) -> dict[str, Path]:
    """Return the agent files by their agents' names; a project's come before shipped ones.

    A file's name, without ``.yaml``, is its agent's name.
    """
    found = {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}
    for pattern in ("*.yml", "*.yaml"):
        found |= {path.stem: path for path in sorted((project / AGENT_FOLDER).glob(pattern))}
    return dict(sorted(found.items()))


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
    agent = Agent.from_file(known[name])
    if agent.name != name:
        raise ConfigError(
            f"the agent's name is {agent.name!r} and the file's {name!r}.",
            hint="Give both the same name, or leave 'name' out.",
            path=known[name],
        )
    return agent
