"""Embeddings by name: ``minilm`` in this process, ``fastembed:MODEL`` or ``openai:MODEL``.

Each is a LangChain ``Embeddings``, loads nothing before its first text, and says how to install
what it needs.
"""

from treadle.memory.embeddings._minilm import MiniLM
from treadle.memory.embeddings._named import FastEmbed, embeddings_named
from treadle.memory.embeddings._openai import OpenAIEmbeddings

__all__ = ["FastEmbed", "MiniLM", "OpenAIEmbeddings", "embeddings_named"]
