"""A real chat model whose provider is the scripted server on loopback."""

from treadle.agents.models import Models
from treadle.core.settings import ModelProfile, PriceSettings, Settings
from treadle.runtime.testing import ScriptedOpenAI

_opened: list[Models] = []


def settings_for(*servers: ScriptedOpenAI, **changes) -> Settings:
    """Return settings whose profiles ``one``, ``two``, … ask the servers; ``one`` falls back."""
    names = ["one", "two", "three"][: len(servers)]
    shared = {
        "model": "openai:gpt-5-mini",
        "api_key_env": "TEST_KEY",
        "max_retries": 0,
        "timeout_seconds": 5,
        "price": PriceSettings(input=1, output=2),
    }
    profiles = {
        name: ModelProfile(**{**shared, "base_url": server.base_url, **changes})
        for name, server in zip(names, servers, strict=True)
    }
    profiles["one"] = profiles["one"].model_copy(update={"fallbacks": tuple(names[1:])})
    return Settings(model="one", models=profiles)


def resolved(*servers: ScriptedOpenAI, **changes):
    """Return the first server's model, with the others as its fallbacks."""
    models = Models(settings_for(*servers, **changes), {"TEST_KEY": servers[0].api_key})
    _opened.append(models)
    return models.resolve("one")


async def close_models() -> None:
    """Close the connections of all models that `resolved` returned."""
    while _opened:
        await _opened.pop().aclose()
