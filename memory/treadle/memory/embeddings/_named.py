"""Embeddings by name."""

from functools import lru_cache
from importlib import import_module
from typing import Any

from langchain_core.embeddings import Embeddings

from treadle.core.errors import ConfigError, UnknownNameError
from treadle.memory.embeddings._minilm import MiniLM
from treadle.memory.embeddings._openai import OpenAIEmbeddings

_KINDS = ("minilm", "fastembed", "openai")


@lru_cache
def embeddings_named(name: str) -> Embeddings:
    """Return the process's embeddings of a name; nothing is loaded before their first text.

    Args:
        name: ``minilm``, ``fastembed:MODEL`` or ``openai:MODEL``.

    Raises:
        UnknownNameError: there are no embeddings of that kind.
        ConfigError: the model is not named.
    """
    kind, _, model = name.partition(":")
    if kind not in _KINDS:
        raise UnknownNameError("embeddings", name, _KINDS)
    if kind == "minilm":
        return MiniLM()
    if not model:
        raise ConfigError(
            f"The embeddings {name!r} do not say which model.", hint=f"Write {kind}:MODEL."
        )
    return FastEmbed(model) if kind == "fastembed" else OpenAIEmbeddings(model)


class FastEmbed(Embeddings):
    """Embeddings by the package ``fastembed``.

    Args:
        model: the model, as ``fastembed`` names it; downloaded by it at first use.
    """

    def __init__(self, model: str) -> None:
        self._name = model
        self._model: Any = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text.

        Raises:
            ConfigError: ``fastembed`` is not installed.
        """
        return [vector.tolist() for vector in self._loaded().passage_embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question.

        Raises:
            ConfigError: ``fastembed`` is not installed.
        """
        return list(next(iter(self._loaded().query_embed(text))).tolist())

    def _loaded(self) -> Any:
        if self._model is None:
            try:
                module = import_module("fastembed")
            except ImportError as problem:
                raise ConfigError(
                    f"The embeddings 'fastembed:{self._name}' need the package fastembed, "
                    "which is not installed.",
                    hint="Run: pip install fastembed",
                ) from problem
            self._model = module.TextEmbedding(self._name)
        return self._model
