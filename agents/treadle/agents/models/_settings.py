"""Giving a model what its run was asked for with, and knowing what it can be given."""

from collections.abc import Collection, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from treadle.agents.models._limits import is_openai
from treadle.core.calls import CAPS
from treadle.core.model_settings import ALL, ModelSettingError, ModelSettings
from treadle.core.settings import EMBEDDED_MODEL

_OF_CHAT_COMPLETIONS = {"stop", "seed", "presence_penalty", "frequency_penalty"}
_OF_REASONING = {"reasoning_effort", "verbosity"}
_ANY_TOOL = {"tools": [{"type": "function"}]}


def settings_taken(
    model: BaseChatModel, name: str, declared: Collection[str] | None = None
) -> frozenset[str]:
    """Return which settings a model can be given with every call, whatever the call holds.

    Only those that are known to reach the provider, or to be kept to: of the classes of other
    providers than OpenAI's, many take any option and leave it out.

    Args:
        model: the model.
        name: its name: ``provider:model``, or ``embedded``.
        declared: those that the operator says it takes; ``None`` where nothing is said.
    """
    if declared is not None:
        return frozenset(declared)
    if name == EMBEDDED_MODEL:  # It chooses nothing by chance, so it keeps to all the others.
        return ALL - _OF_REASONING
    if not is_openai(model):
        return frozenset()
    known: Any = model
    if not (known._use_responses_api({}) or known._use_responses_api(_ANY_TOOL)):
        return ALL
    # LangChain leaves the temperature out for these models.
    has_none = known.model_name.startswith("gpt-5") and "chat" not in known.model_name
    return ALL - _OF_CHAT_COMPLETIONS - ({"temperature"} if has_none else set())


def with_settings(
    settings: ModelSettings,
    taken: frozenset[str],
    options: Mapping[str, Any],
    most: int | None,
) -> dict[str, Any]:
    """Return the options of a call with a run's settings in place of its own.

    Words that end an answer are added to those of the call, and the shortest of all lengths holds.

    Args:
        settings: the run's.
        taken: which of them the model can be given.
        options: those of the call, ``stop`` among them.
        most: how long an answer may be by the model's profile.

    Raises:
        ModelSettingError: one of them cannot be given.
    """
    given = settings.given()
    for name in given:
        if name not in taken:
            raise ModelSettingError(name, "the model that is asked does not take it")
    if stop := given.pop("stop", None):
        given["stop"] = list(dict.fromkeys([*(options.get("stop") or ()), *stop]))
    if (asked := given.pop("max_output_tokens", None)) is None:
        return {**options, **given}
    caps = [most, *(options.get(name) for name in CAPS)]
    shortest = min([asked, *(cap for cap in caps if isinstance(cap, int))])
    kept = {name: value for name, value in options.items() if name not in CAPS}
    return {**kept, **given, "max_tokens": shortest}
