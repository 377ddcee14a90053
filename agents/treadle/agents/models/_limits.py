"""What bounds the cost of a model's calls."""

import sys

from langchain_core.language_models import BaseChatModel

from treadle.core.calls import ModelLimits

_USUAL_RETRIES = 2
"""How often OpenAI's client repeats a request where nothing is set."""


def is_openai(model: BaseChatModel) -> bool:
    """Tell whether the model is of LangChain's OpenAI classes, or made of them."""
    # Whoever has such a model has loaded the module, which takes a second.
    loaded = sys.modules.get("langchain_openai.chat_models.base")
    return loaded is not None and isinstance(model, loaded.BaseChatOpenAI)


def caps_output(model: BaseChatModel) -> bool:
    """Tell whether the model takes ``max_tokens`` call by call, as LangChain's OpenAI models do."""
    return is_openai(model)


def foreign_limits(model: BaseChatModel) -> ModelLimits:
    """Return what bounds a model that others made, whose client may repeat a request by itself."""
    retries = getattr(model, "max_retries", None)
    attempts = 1 + (retries if isinstance(retries, int) else _USUAL_RETRIES)
    longest = getattr(model, "max_tokens", None)
    return ModelLimits(
        max_output_tokens=longest if isinstance(longest, int) else None,
        caps_output=attempts == 1 and caps_output(model),
        attempts=attempts,
    )
