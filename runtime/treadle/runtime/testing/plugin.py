"""The kit as a pytest plugin: ``pytest_plugins = ["treadle.runtime.testing.plugin"]``.

That line belongs in the ``conftest.py`` beside your ``pyproject.toml``. Every journal that lies
among the tests, as ``treadle runs export`` writes it, is then a test of its own.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from treadle.runtime.testing._script import ScriptLike
from treadle.runtime.testing._server import ScriptedOpenAI


class StartScripted(Protocol):
    """Starts a scripted server for the rest of the test; arguments as of ScriptedOpenAI."""

    def __call__(
        self,
        script: ScriptLike,
        *,
        api_key: str = "test-key",
        models: Collection[str] | None = None,
        verify: bool = True,
    ) -> ScriptedOpenAI:
        """Start a server and point the environment's OpenAI variables at it."""
        ...


@pytest.fixture
def scripted_openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartScripted]:
    """Start scripted servers: ``server = scripted_openai([say("Hello")])``.

    Clients that read ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` use the one started last. At the
    end of the test each is stopped, and a script that did not match the requests is an error.
    """
    with ExitStack() as servers:

        def start(
            script: ScriptLike,
            *,
            api_key: str = "test-key",
            models: Collection[str] | None = None,
            verify: bool = True,
        ) -> ScriptedOpenAI:
            server = servers.enter_context(
                ScriptedOpenAI(script, api_key=api_key, models=models, verify=verify)
            )
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            return server

        yield start


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-journals``."""
    parser.getgroup("treadle").addoption(
        "--update-journals",
        action="store_true",
        help="record anew the runs that go another way; only what is new is asked of the model",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take every exported journal for a test."""
    if not file_path.name.endswith(".journal.jsonl"):
        return None
    collected: pytest.Collector = _JournalModule.from_parent(parent, path=file_path)
    return collected


class _JournalModule(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield _JournalItem.from_parent(self, name="replay")


class _JournalItem(pytest.Item):
    """Replays one journal with its agent as it is now."""

    def runtest(self) -> None:
        from treadle.core.settings import Settings  # noqa: PLC0415 - only where there are journals
        from treadle.runtime.runs import JournalFile, Replayer  # noqa: PLC0415

        project = self._project()
        file = JournalFile.read(self.path)
        replayer = Replayer(project, Settings.load(project))
        replay = asyncio.run(replayer.replay(file, replayer.current(file)))
        if replay.difference is None:
            return
        if not self.config.getoption("update_journals"):
            raise JournalDiffersError(f"{self.path.name}: {replay.difference}")
        asyncio.run(self._update(project))

    async def _update(self, project: Path) -> None:
        from treadle.runtime import Runtime, rerecord  # noqa: PLC0415

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
