"""Recorded runs as tests of pytest."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.core.settings import Settings
from treadle.runtime import Runtime, rerecord
from treadle.runtime.runs import JournalFile, Replayer


class RecordedRun(pytest.File):
    """An exported journal among the tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its one test."""
        yield _JournalItem.from_parent(self, name="replay")


class _JournalItem(pytest.Item):
    """Replays one journal with its agent as it is now."""

    def runtest(self) -> None:
        """Fail where the run goes another way; with ``--update-journals``, record it anew."""
        project = self._project()
        file = JournalFile.read(self.path)
        replayer = Replayer(project, Settings.load(project))
        replay = asyncio.run(replayer.replay(file, replayer.current(file)))
        if replay.difference is None:
            return
        if not self.config.getoption("update_journals"):
            told = [str(one) for one in (replay.difference, *replay.changes)]
            raise JournalDiffersError(f"{self.path.name}: {'; '.join(told)}")
        asyncio.run(self._update(project))

    async def _update(self, project: Path) -> None:
        async with Runtime.open(project=project) as runtime:
            await rerecord(runtime, self.path)

    def _project(self) -> Path:
        root = self.config.rootpath
        return next((p for p in self.path.parents if (p / "treadle.toml").is_file()), root)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Say what differs, without the way to where it was noticed."""
        return f"{type(excinfo.value).__name__}: {excinfo.value}"

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"replay of {self.path.name}"


class JournalDiffersError(AssertionError):
    """A run goes another way than its journal says."""
