"""Real clients for the scripted server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from openai import OpenAI

from treadle.runtime.testing import ScriptedOpenAI

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def weather() -> dict[str, Any]:
    return WEATHER


@pytest.fixture
def flat_weather() -> dict[str, Any]:
    return {"type": "function", **WEATHER["function"], "strict": False}


@pytest.fixture
def client_of() -> Iterator[Callable[..., OpenAI]]:
    """Open the official client on a server; closed at the end of the test."""
    with ExitStack() as clients:

        def open_client(server: ScriptedOpenAI, **options: Any) -> OpenAI:
            settings = {"api_key": server.api_key, "max_retries": 0, "timeout": 20.0, **options}
            return clients.enter_context(OpenAI(base_url=server.base_url, **settings))

        yield open_client
