"""A real server process with a scripted model behind it, and OpenAI's client in front."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.serving import Served, serving
from treadle.runtime.testing import ScriptedOpenAI

_KEY = "SCRIPTED_KEY"
_SETTINGS = f"""
model = "scripted"

[models.scripted]
model = "openai:gpt-5-mini"
base_url = "{{url}}"
api_key_env = "{_KEY}"
max_retries = 0
"""


@contextmanager
def serving_scripted(
    project: Path, redis_url: str, model: ScriptedOpenAI, *options: str, settings: str = ""
) -> Iterator[Served]:
    """Serve a project whose agents ask the model, with further settings."""
    (project / "treadle.toml").write_text(_SETTINGS.format(url=model.base_url) + settings)
    with serving(project, redis_url, *options, environment={_KEY: model.api_key}) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[OpenAI]:
    """Give a client of the server that a test's module serves."""
    with OpenAI(base_url=f"{server.url}/v1", api_key="not-needed", max_retries=0) as client:
        yield client
