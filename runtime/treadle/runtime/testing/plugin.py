"""The kit as a pytest plugin: ``pytest_plugins = ["treadle.runtime.testing.plugin"]``.

That line belongs in the ``conftest.py`` beside your ``pyproject.toml``.
"""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
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
