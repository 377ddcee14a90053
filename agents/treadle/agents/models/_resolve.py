"""Finding a chat model by its name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel

from treadle.agents.models._gated import ModelInfo, through_boundary
from treadle.core.errors import ConfigError, UnknownNameError
from treadle.core.settings import EMBEDDED_MODEL, ModelProfile, Settings

_OPENAI_KEY = "OPENAI_API_KEY"


@dataclass(frozen=True)
class ResolvedModel:
    """A model that was found by its name.

    Attributes:
        chat: the model; its calls go through the boundary.
        fallbacks: models to ask, in order, when it fails.
        context_tokens: how many tokens fit in a request, where that is known.
    """

    chat: BaseChatModel
    fallbacks: tuple[BaseChatModel, ...]
    context_tokens: int | None


def resolve_model(
    name: str, settings: Settings, environment: Mapping[str, str] | None = None
) -> ResolvedModel:
    """Find a model by its name.

    Args:
        name: ``embedded``, a profile in the settings, or ``provider:model`` as LangChain's
            ``init_chat_model`` takes it.
        settings: the project's settings.
        environment: the environment variables; the process's own when not given.

    Raises:
        UnknownNameError: no model, profile or provider has that name.
        ConfigError: its key is not set or its provider's package is not installed.
    """
    variables = os.environ if environment is None else environment
    profile = _profile(name, settings)
    fallbacks = tuple(
        _make(_profile(fallback, settings), settings, variables) for fallback in profile.fallbacks
    )
    return ResolvedModel(_make(profile, settings, variables), fallbacks, profile.context_tokens)


def _profile(name: str, settings: Settings) -> ModelProfile:
    if name in settings.models:
        return settings.models[name]
    if name == EMBEDDED_MODEL or ":" in name:
        return ModelProfile(model=name)
    known = [EMBEDDED_MODEL, *settings.models]
    hint = "A provider's model is named as 'provider:model', such as 'openai:gpt-5-mini'."
    raise UnknownNameError("model", name, known, hint=hint)


def _make(
    profile: ModelProfile, settings: Settings, environment: Mapping[str, str]
) -> BaseChatModel:
    price = profile.price.to_price() if profile.price else None
    if profile.model == EMBEDDED_MODEL:
        from treadle.agents.embedded import EmbeddedChatModel  # noqa: PLC0415 - loads only if used

        return through_boundary(EmbeddedChatModel(), ModelInfo(EMBEDDED_MODEL, price))
    provider, separator, model = profile.model.partition(":")
    if not separator or not model:
        raise ConfigError(
            f"{profile.model!r} names no model.", hint="Write 'provider:model' or 'embedded'."
        )
    if provider == "openai":
        return _openai(profile, model, environment)
    made = _other_provider(profile, provider, model, environment)
    return through_boundary(
        made, ModelInfo(profile.model, price, profile.api_key_env or f"{provider.upper()}_API_KEY")
    )


def _openai(profile: ModelProfile, model: str, environment: Mapping[str, str]) -> BaseChatModel:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - takes a second of CPU to load

    # The usual key is never sent to another server than the provider's own.
    variable = profile.api_key_env or ("" if profile.base_url else _OPENAI_KEY)
    made = ChatOpenAI(
        model=model,
        api_key=_key(profile.model, variable, environment),
        base_url=profile.base_url,
        timeout=profile.timeout_seconds,
        max_retries=profile.max_retries,
        max_completion_tokens=profile.max_output_tokens,
        temperature=profile.temperature,
        stream_usage=True,
    )
    price = profile.price.to_price() if profile.price else None
    return through_boundary(made, ModelInfo(profile.model, price, variable, profile.base_url or ""))


def _other_provider(
    profile: ModelProfile, provider: str, model: str, environment: Mapping[str, str]
) -> BaseChatModel:
    from langchain.chat_models import init_chat_model  # noqa: PLC0415 - slow to load

    options: dict[str, Any] = {
        "timeout": profile.timeout_seconds,
        "max_retries": profile.max_retries,
        "max_tokens": profile.max_output_tokens,
        "temperature": profile.temperature,
        "base_url": profile.base_url,
    }
    if profile.api_key_env:
        options["api_key"] = _key(profile.model, profile.api_key_env, environment)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        made: BaseChatModel = init_chat_model(model, model_provider=provider, **given)
        return made
    except ImportError as error:
        raise ConfigError(
            f"the model {profile.model!r} needs a package that is not installed: {error}"
        ) from None
    except ValueError as error:
        raise ConfigError(f"the model {profile.model!r} cannot be used: {error}") from None


def _key(model: str, variable: str, environment: Mapping[str, str]) -> Any:
    if not variable:
        return "none"  # A server of one's own that asks for no key; the client insists on one.
    if key := environment.get(variable):
        return key
    raise ConfigError(
        f"the model {model!r} needs a key, and the environment variable {variable} is not set.",
        hint=f"Set {variable}, or use the model 'embedded', which needs none.",
    )
