"""Embeddings of OpenAI, or of a server that speaks its protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from treadle.core.errors import ConfigError

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIEmbeddings(Embeddings):
    """Vectors by OpenAI's protocol.

    Args:
        model: the model, as the server names it.
        client: asks the server, and is not closed. Without one, each request has a client of its
            own, with the key in ``OPENAI_API_KEY``, which is closed after it.

    Attributes:
        name: what names the space of the vectors: ``openai:`` and the model.
    """

    def __init__(self, model: str, client: "AsyncOpenAI | None" = None) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._client = client

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text.

        Raises:
            ConfigError: there is no key.
            openai.OpenAIError: the server gave no vectors.
        """
        async with self._asking() as client:
            answer = await client.embeddings.create(model=self._model, input=texts)
        return [each.embedding for each in sorted(answer.data, key=lambda each: each.index)]

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a question; errors are those of `aembed_documents`."""
        return (await self.aembed_documents([text]))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Do as `aembed_documents`, from a thread without an event loop and without a client."""
        return asyncio.run(OpenAIEmbeddings(self._model).aembed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """Do as `aembed_query`, from a thread without an event loop and without a client."""
        return self.embed_documents([text])[0]

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator["AsyncOpenAI"]:
        if self._client is not None:
            yield self._client
            return
        from openai import AsyncOpenAI, OpenAIError  # noqa: PLC0415 - takes a second to load

        try:
            client = AsyncOpenAI()
        except OpenAIError as problem:
            raise ConfigError(
                f"The embeddings {self.name!r} cannot be used: {problem}",
                hint="Set OPENAI_API_KEY.",
            ) from None
        async with client:
            yield client
