"""Embeddings of OpenAI, or of a server that speaks its protocol, as calls through the boundary."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.embeddings import Embeddings

from treadle.core import boundary
from treadle.core.calls import CallKind, CallSpec, Effect, ModelLimits
from treadle.core.errors import ConfigError, ModelError
from treadle.core.usage import Price, Usage, is_free_of_charge

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_RETRIES = 2

_Answer = dict[str, Any]
"""What is recorded: ``vectors``, packed as half-precision floats, their ``dimensions``, and the
``tokens`` that the server counted."""


class OpenAIEmbeddings(Embeddings):
    """Vectors by OpenAI's protocol, of unit length, with eleven significant bits.

    Inside a run each request is a call: a budget reserves it, and the journal has it.

    Args:
        model: the model, as the server names it.
        client: asks the server, and is not closed. Without one, each request has a client of its
            own, with the key in ``OPENAI_API_KEY``, which is closed after it.
        price: what the tokens cost; ``None`` when that is not known.

    Attributes:
        name: what names the space of the vectors: ``openai:`` and the model.
    """

    def __init__(
        self, model: str, client: "AsyncOpenAI | None" = None, *, price: Price | None = None
    ) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._client = client
        self._price = price

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text.

        Raises:
            ConfigError: there is no key.
            ModelError: the server gave no vectors.
            BudgetExceededError, UnboundedCallError: the budget of the run does not allow it.
        """
        if not texts:
            return []

        async def execute(_: boundary.Execution) -> _Answer:
            with boundary.suspended():
                return await self._ask(texts)

        return _vectors(await boundary.acall(self._spec(texts), execute, self._usage))

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a question; errors are those of `aembed_documents`."""
        return (await self.aembed_documents([text]))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Do as `aembed_documents`, from a thread without an event loop and without a client."""
        if not texts:
            return []
        alone = OpenAIEmbeddings(self._model, price=self._price)

        def execute(_: boundary.Execution) -> _Answer:
            with boundary.suspended():
                return asyncio.run(alone._ask(texts))

        return _vectors(boundary.call(alone._spec(texts), execute, self._usage))

    def embed_query(self, text: str) -> list[float]:
        """Do as `aembed_query`, from a thread without an event loop and without a client."""
        return self.embed_documents([text])[0]

    def _spec(self, texts: Sequence[str]) -> CallSpec:
        # Whether a message has its vector already differs from attempt to attempt of a run. Calls
        # named by what they ask leave the places of all others as they are.
        asked = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
        retries = _RETRIES if self._client is None else self._client.max_retries
        limits = ModelLimits(price=self._price, attempts=1 + retries)
        request = {"input": list(texts)}
        return CallSpec(
            CallKind.EMBEDDING, self.name, Effect.READ, request, limits, key=f"embed-{asked[:16]}"
        )

    def _usage(self, answer: _Answer) -> Usage:
        tokens = Usage(input_tokens=answer["tokens"])
        if self._price is None or not answer["tokens"]:
            return tokens + Usage(unpriced_calls=1)
        return tokens + Usage(usd=self._price.of(tokens))

    async def _ask(self, texts: Sequence[str]) -> _Answer:
        async with self._asking() as client:
            with self._explained():
                answer = await client.embeddings.create(model=self._model, input=list(texts))
        rows = [each.embedding for each in sorted(answer.data, key=lambda each: each.index)]
        if len(rows) != len(texts) or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise ModelError(f"{self.name!r} made {len(rows)} vectors for {len(texts)} texts.")
        vectors = np.asarray(rows, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ModelError(f"{self.name!r} made vectors that hold no numbers.")
        packed = (vectors / np.where(lengths, lengths, 1)).astype("<f2").tobytes()
        tokens = int(answer.usage.prompt_tokens) if answer.usage else 0
        return {"vectors": packed, "dimensions": vectors.shape[1], "tokens": tokens}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from openai import OpenAIError  # noqa: PLC0415 - takes a second to load

        try:
            yield
        except OpenAIError as problem:
            raise ModelError(
                f"The embeddings {self.name!r} gave no vectors: {problem}",
                hint="Earlier turns are found by their words meanwhile.",
                is_free=is_free_of_charge(problem),
            ) from problem

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator["AsyncOpenAI"]:
        if self._client is not None:
            yield self._client
            return
        from openai import AsyncOpenAI, OpenAIError  # noqa: PLC0415 - takes a second to load

        try:
            client = AsyncOpenAI(max_retries=_RETRIES)
        except OpenAIError as problem:
            raise ConfigError(
                f"The embeddings {self.name!r} cannot be used: {problem}",
                hint="Set OPENAI_API_KEY.",
            ) from None
        async with client:
            yield client


def _vectors(answer: _Answer) -> list[list[float]]:
    rows = np.frombuffer(answer["vectors"], "<f2").reshape(-1, answer["dimensions"])
    return rows.astype(np.float32).tolist()
