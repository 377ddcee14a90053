"""The schedules that stand in a project's files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from treadle.agents import AGENT_FOLDER, Agent
from treadle.core.errors import ConfigError
from treadle.core.scheduling import ScheduleSettings
from treadle.core.settings import SETTINGS_FILE, Settings


@dataclass(frozen=True, slots=True)
class Written:
    """A schedule as a file has it.

    Attributes:
        settings: what it was told.
        source: the file, from the project's folder.
    """

    settings: ScheduleSettings
    source: str


def project_schedules(
    project: Path, settings: Settings, on_unreadable: Callable[[str, ConfigError], None]
) -> Mapping[str, Written]:
    """Return the schedules of ``treadle.toml`` by name, and those of agents as ``agent.name``.

    Args:
        project: the project's folder.
        settings: its settings.
        on_unreadable: is told of each agent's file that is wrong, as ``agents/NAME.yaml``, and
            why; it may raise. Otherwise that file's schedules are left out.

    Raises:
        ConfigError: a schedule in ``treadle.toml`` names no agent.
    """
    found: dict[str, Written] = {}
    for name, each in settings.schedules.items():
        if not each.agent:
            raise ConfigError(
                f"schedules.{name}: 'agent' is missing.",
                hint="Name the agent that the schedule asks.",
                path=project / SETTINGS_FILE,
            )
        found[name] = Written(each, SETTINGS_FILE)
    folder = project / AGENT_FOLDER
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        source = f"{AGENT_FOLDER}/{path.name}"
        try:
            found.update(_schedules_of(path, source))
        except ConfigError as error:
            on_unreadable(source, error)
    return found


def _schedules_of(path: Path, source: str) -> dict[str, Written]:
    agent = Agent.from_file(path)
    found: dict[str, Written] = {}
    for name, each in agent.schedules.items():
        if each.agent not in {"", agent.name}:
            raise ConfigError(
                f"schedules.{name}: it is for the agent {each.agent!r}, and this is "
                f"{agent.name!r}.",
                hint="Leave 'agent' out in an agent's file.",
                path=path,
            )
        own = each.model_copy(update={"agent": agent.name})
        found[f"{agent.name}.{name}"] = Written(own, source)
    return found
