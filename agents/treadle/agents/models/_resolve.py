"""Finding a chat model by its name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel

from treadle.agents.models._gated import ModelInfo, through_boundary
from treadle.agents.models._limits import caps_output
from treadle.core.calls import ModelLimits
from treadle.core.errors import ConfigError, TreadleError, UnknownNameError
from treadle.core.plugins import load_plugin, plugin_names, plugin_package
from treadle.core.settings import EMBEDDED_MODEL, ModelProfile, Settings
from treadle.core.usage import Price

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


class Models:
    """The chat models of a project, by name.

    Each is made once, when it is first asked for, and so are embeddings of OpenAI's. They share one
    pool of connections, which `aclose` closes.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        """Take the project's settings, and the environment variables that hold the keys.

        Args:
            settings: where the profiles are.
            environment: the variables; the process's own when not given.
        """
        self._settings = settings
        self._environment = os.environ if environment is None else environment
        self._made: dict[ModelProfile, BaseChatModel] = {}
        self._embeddings: dict[ModelProfile, Embeddings] = {}
        self._connections: Any = None

    def resolve(self, name: str) -> ResolvedModel:
        """Find a model by its name.

        Args:
            name: ``embedded``, a profile in the settings, ``name`` or ``name:model`` of what an
                installed package brings as an entry point of ``treadle.models``, or
                ``provider:model`` as LangChain's ``init_chat_model`` takes it.

        Raises:
            UnknownNameError: no model, profile or provider has that name.
            ConfigError: its key is not set or its provider's package is not installed.
        """
        profile = self._profile(name)
        fallbacks = tuple(self._model(self._profile(fallback)) for fallback in profile.fallbacks)
        return ResolvedModel(self._model(profile), fallbacks, profile.context_tokens)

    def is_priced(self, name: str) -> bool:
        """Tell whether it is known what a model's tokens cost; its key need not be set.

        Raises:
            UnknownNameError: no model, profile or provider has that name.
        """
        profile = self._profile(name)
        return profile.model == EMBEDDED_MODEL or profile.price is not None

    def embeddings(self, name: str | None) -> Embeddings | str | None:
        """Find embeddings by their name.

        Args:
            name: ``openai:MODEL``, or a profile of such a model; other names are left to
                `treadle.memory.embeddings.embeddings_named`, which needs nothing from here.

        Raises:
            ConfigError: the key is not set.
        """
        profile = self._settings.models.get(name or "", ModelProfile(model=name or ""))
        provider, _, model = profile.model.partition(":")
        if provider != "openai" or not model:
            return name
        if profile not in self._embeddings:
            self._embeddings[profile] = self._openai_embeddings(profile, model)
        return self._embeddings[profile]

    async def aclose(self) -> None:
        """Close the connections to OpenAI-compatible servers; other providers keep their own."""
        if self._connections is not None:
            await self._connections.aclose()

    def _profile(self, name: str) -> ModelProfile:
        profiles = self._settings.models
        if name in profiles:
            return profiles[name]
        if name == EMBEDDED_MODEL or ":" in name:
            return ModelProfile(model=name)
        brought = plugin_names("model")
        if name in brought:
            return ModelProfile(model=name)
        hint = "A provider's model is named as 'provider:model', such as 'openai:gpt-5-mini'."
        raise UnknownNameError("model", name, {EMBEDDED_MODEL, *profiles, *brought}, hint=hint)

    def _model(self, profile: ModelProfile) -> BaseChatModel:
        if profile not in self._made:
            self._made[profile] = self._make(profile)
        return self._made[profile]

    def _make(self, profile: ModelProfile) -> BaseChatModel:
        if profile.model == EMBEDDED_MODEL:
            return _embedded()
        provider, separator, model = profile.model.partition(":")
        is_brought = provider != "openai" and provider in plugin_names("model")
        if not is_brought and (not separator or not model):
            raise ConfigError(
                f"{profile.model!r} names no model.", hint="Write 'provider:model' or 'embedded'."
            )
        price = profile.price.to_price() if profile.price else None
        variable = profile.api_key_env or ""
        if is_brought:
            made = _brought(provider, model)
        elif provider == "openai":
            variable = _openai_key_variable(profile)
            made = self._openai(profile, model, _key(profile.model, variable, self._environment))
        else:
            key = _key(profile.model, variable, self._environment) if variable else None
            made = _other_provider(profile, provider, model, key)
            variable = variable or f"{provider.upper()}_API_KEY"
        info = ModelInfo(
            profile.model,
            price,
            variable,
            profile.base_url or "",
            limits=ModelLimits(
                max_output_tokens=profile.max_output_tokens, caps_output=caps_output(made)
            ),
            max_retries=profile.max_retries,
            calls_in_text=profile.tool_calls == "text",
            takes=profile.takes,
        )
        return through_boundary(made, info)

    def _openai(self, profile: ModelProfile, model: str, key: Any) -> BaseChatModel:
        # It takes a second of CPU to load.
        from treadle.agents.models._plain_completions import PlainOpenAI  # noqa: PLC0415

        return PlainOpenAI(
            model=model,
            api_key=key,
            base_url=profile.base_url,
            timeout=profile.timeout_seconds,
            max_retries=0,  # A repeated attempt is a call of its own, so it is made by `Retries`.
            max_completion_tokens=profile.max_output_tokens,
            temperature=profile.temperature,
            stream_usage=True,
            http_async_client=self._pool(),
        )

    def _openai_embeddings(self, profile: ModelProfile, model: str) -> Embeddings:
        from openai import AsyncOpenAI  # noqa: PLC0415 - takes a second of CPU to load

        from treadle.memory.embeddings import OpenAIEmbeddings  # noqa: PLC0415 - loads numpy

        client = AsyncOpenAI(
            api_key=_key(profile.model, _openai_key_variable(profile), self._environment),
            base_url=profile.base_url,
            timeout=profile.timeout_seconds,
            max_retries=profile.max_retries,
            http_client=self._pool(),
        )
        price = profile.price.to_price() if profile.price else None
        return OpenAIEmbeddings(model, client, price=price)

    def _pool(self) -> Any:
        from openai import DefaultAsyncHttpxClient  # noqa: PLC0415 - as above

        if self._connections is None:
            # LangChain would share one pool among all event loops of the process, for ever.
            self._connections = DefaultAsyncHttpxClient()
        return self._connections


def _openai_key_variable(profile: ModelProfile) -> str:
    # The usual key is never sent to another server than the provider's own.
    return profile.api_key_env or ("" if profile.base_url else _OPENAI_KEY)


def _embedded() -> BaseChatModel:
    from treadle.agents.embedded import (  # noqa: PLC0415 - loads only if used
        MAX_ANSWER_TOKENS,
        EmbeddedChatModel,
    )

    free = Price(Decimal(0), Decimal(0))
    limits = ModelLimits(max_output_tokens=MAX_ANSWER_TOKENS, caps_output=True)
    return through_boundary(EmbeddedChatModel(), ModelInfo(EMBEDDED_MODEL, free, limits=limits))


def _brought(name: str, model: str) -> BaseChatModel:
    """Make a model of a function that a package brings; it is given what stands after the colon."""
    make, package = load_plugin("model", name), plugin_package("model", name)
    try:
        made = make(model)
    except TreadleError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the model {name!r} of the package {package} cannot be made: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, BaseChatModel):
        raise ConfigError(
            f"the model {name!r} of the package {package} is a {type(made).__name__}, not a "
            "LangChain chat model."
        )
    return made


def _other_provider(profile: ModelProfile, provider: str, model: str, key: Any) -> BaseChatModel:
    from langchain.chat_models import init_chat_model  # noqa: PLC0415 - slow to load

    options: dict[str, Any] = {
        "timeout": profile.timeout_seconds,
        "max_retries": 0,
        "max_tokens": profile.max_output_tokens,
        "temperature": profile.temperature,
        "base_url": profile.base_url,
        "api_key": key,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        made: BaseChatModel = init_chat_model(model, model_provider=provider, **given)
    except ImportError as error:
        raise ConfigError(
            f"the model {profile.model!r} needs a package that is not installed: {error}"
        ) from None
    except ValueError as error:
        raise ConfigError(f"the model {profile.model!r} cannot be used: {error}") from None
    return made


def _key(model: str, variable: str, environment: Mapping[str, str]) -> Any:
    if not variable:
        return "none"  # A server of one's own that asks for no key; the client insists on one.
    if key := environment.get(variable):
        return key
    raise ConfigError(
        f"the model {model!r} needs a key, and the environment variable {variable} is not set.",
        hint=f"Set {variable}, or use the model 'embedded', which needs none.",
    )
