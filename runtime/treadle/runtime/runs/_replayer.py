"""Replaying the runs of a project, with nothing but its folder: no Redis, no key, no network."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from treadle.agents import Agent, agent_files, build_agent, find_agent
from treadle.agents.models import Models
from treadle.core.errors import InputError
from treadle.core.redaction import Redactor
from treadle.core.settings import Settings
from treadle.graphs import Graph, versions
from treadle.runtime._offline import AnyKey, NoRedis, OfflineMemory
from treadle.runtime.runs._file import SUFFIX, JournalFile
from treadle.runtime.runs.made_of import changes, made_of, recorded
from treadle.runtime.runs.replay import Replay, definition_of, replay
from treadle.tools import ToolContext


class Replayer:
    """Executes recorded runs again, with outcomes from their journals only.

    Args:
        project: the project's folder, with its agents and tools.
        settings: the project's settings.
    """

    def __init__(self, project: Path, settings: Settings) -> None:
        self._context = ToolContext(project, settings, NoRedis())
        self._models = Models(settings, AnyKey())
        self._redactor = Redactor.from_settings(settings, os.environ)

    async def replay(self, file: JournalFile, agent: Agent | None = None) -> Replay:
        """Replay a run and compare all that happens with what was recorded.

        Args:
            file: its journal.
            agent: the agent to replay it with; as it was recorded when not given.

        Raises:
            JournalError: the journal cannot be replayed.
            ConfigError: the agent cannot be made.
        """
        chosen = agent or definition_of(file.journal)
        done = await replay(file, chosen, lambda saver: self._graph(chosen, saver), self._redactor)
        now = made_of(chosen, versions(chosen.graph, self._context.project), self._redactor)
        return dataclasses.replace(done, changes=tuple(changes(recorded(file.journal), now)))

    def current(self, file: JournalFile) -> Agent:
        """Return the agent of a run as the project has it now; as recorded where it has none.

        Raises:
            JournalError: the journal does not hold it.
            ConfigError: the agent's file is wrong.
        """
        recorded = definition_of(file.journal)
        project = self._context.project
        is_in_file = recorded.name in agent_files(project)
        return find_agent(recorded.name, project) if is_in_file else recorded

    def _graph(self, agent: Agent, saver: BaseCheckpointSaver[Any]) -> Graph:
        return build_agent(agent, self._context, self._models, OfflineMemory(saver)).graph


def journal_files(folder: Path) -> Sequence[Path]:
    """Return the exported journals in a folder and the folders in it, by name.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"There is no folder {folder}.",
            hint=f"Make one, and fill it: treadle runs export RUN -o {folder}/NAME{SUFFIX}",
        )
    return sorted(folder.rglob(f"*{SUFFIX}"))
