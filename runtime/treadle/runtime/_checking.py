"""Looking at a project's agents as a run would, with nothing but its folder."""

from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver

from treadle.agents import Agent
from treadle.agents.models import Models
from treadle.core.settings import Settings
from treadle.runtime._graphs import AgentGraphs
from treadle.runtime._offline import NoRedis, OfflineMemory
from treadle.tools import ToolContext


class AgentCheck:
    """Makes agents to see what is wrong with them: no Redis, model or server is asked.

    Args:
        project: the project's folder.
        settings: the project's settings.
    """

    def __init__(self, project: Path, settings: Settings) -> None:
        context = ToolContext(project, settings, NoRedis())
        self._graphs = AgentGraphs(context, Models(settings), OfflineMemory(InMemorySaver()))

    def check(self, name: str) -> Agent:
        """Return the agent of a name, if a run of it could begin.

        Raises:
            UserError: what keeps it from beginning, as a run would say it.
        """
        return self._graphs.load(name)[0]
