"""The kit as a pytest plugin: ``pytest_plugins = ["treadle.runtime.testing.plugin"]``.

That line belongs in the ``conftest.py`` beside your ``pyproject.toml``. Every journal that lies
among the tests, as ``treadle runs export`` writes it, is then a test of its own.
"""

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
    # The rest of the runtime is loaded only where there are journals.
    from treadle.runtime.testing._recorded import RecordedRun  # noqa: PLC0415

    collected: pytest.Collector = RecordedRun.from_parent(parent, path=file_path)
    return collected
