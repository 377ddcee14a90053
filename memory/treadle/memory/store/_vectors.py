"""The vectors of items: which texts they are made of, how they are stored and compared."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from langgraph.store.base import (
    IndexConfig,
    PutOp,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
)
from numpy.typing import NDArray

from treadle.core.errors import ConfigError, InputError
from treadle.memory._codec import Codec
from treadle.memory._storage_errors import RecordError

Vector = NDArray[np.float32]

_COORDINATE = np.dtype("<f4")
_KIND = b"f4\n"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of what one batch writes and searches for."""

    texts: dict[str, Vector] = field(default_factory=dict)
    queries: dict[str, Vector] = field(default_factory=dict)


class VectorIndex:
    """What a store's ``index`` configuration says.

    Raises:
        ConfigError: ``dims`` is no positive number, or ``embed`` is missing.
    """

    def __init__(self, config: IndexConfig) -> None:
        dims = config.get("dims")
        if not isinstance(dims, int) or dims < 1:
            raise ConfigError(
                f"The index's dims are {dims!r}.", hint="Give the length of the vectors."
            )
        if config.get("embed") is None:
            raise ConfigError("The index has no 'embed'.", hint="Give it embeddings.")
        self._dims = dims
        self._embeddings = ensure_embeddings(config["embed"])
        self._fields = [_tokens(path) for path in config.get("fields") or ["$"]]

    def texts_of(self, op: PutOp) -> list[str]:
        """Return the texts by which an item is found.

        Raises:
            InputError: the item's ``index`` is not ``False``, ``None`` or a list of paths.
        """
        if op.value is None or op.index is False:
            return []
        if op.index is None:
            paths = self._fields
        elif isinstance(op.index, list | tuple):
            paths = [_tokens(path) for path in op.index]
        else:
            raise InputError(
                f"The index of the item {op.key!r} is {op.index!r}.",
                hint="Use False, None or a list of paths.",
            )
        found = [text for path in paths for text in get_text_at_path(op.value, path)]
        return [text for text in found if text]

    def embed(self, texts: Iterable[str], queries: Iterable[str]) -> Embedded:
        """Return the vectors of texts and of queries."""
        wanted, asked = list(dict.fromkeys(texts)), list(dict.fromkeys(queries))
        rows = self._embeddings.embed_documents(wanted) if wanted else []
        if len(asked) > 1:
            with ThreadPoolExecutor() as threads:
                found = list(threads.map(self._embeddings.embed_query, asked))
        else:
            found = list(map(self._embeddings.embed_query, asked))
        return self._embedded(wanted, rows, asked, found)

    async def aembed(self, texts: Iterable[str], queries: Iterable[str]) -> Embedded:
        """Return the vectors of texts and of queries."""
        wanted, asked = list(dict.fromkeys(texts)), list(dict.fromkeys(queries))
        rows = await self._embeddings.aembed_documents(wanted) if wanted else []
        found = await asyncio.gather(*map(self._embeddings.aembed_query, asked))
        return self._embedded(wanted, rows, asked, found)

    def _embedded(
        self, texts: list[str], rows: Sequence[Any], queries: list[str], found: Sequence[Any]
    ) -> Embedded:
        if len(rows) != len(texts):
            raise ConfigError(
                f"The index's embeddings gave {len(rows)} vectors for {len(texts)} texts."
            )
        return Embedded(
            dict(zip(texts, map(self._vector, rows), strict=True)),
            dict(zip(queries, map(self._vector, found), strict=True)),
        )

    def _vector(self, row: Any) -> Vector:
        vector = np.asarray(row, _COORDINATE)
        if vector.shape != (self._dims,):
            raise ConfigError(
                f"The index's embeddings gave a vector of shape {vector.shape}, "
                f"and its dims are {self._dims}.",
                hint="Set dims to what the embeddings give.",
            )
        return vector

    def pack(self, vectors: Sequence[Vector], codec: Codec) -> bytes:
        """Return what is stored of the vectors of an item, nothing where there are none."""
        return codec.seal(_KIND + np.stack(vectors).tobytes()) if vectors else b""

    def unpack(self, data: bytes, codec: Codec) -> Vector:
        """Return the vectors of an item as rows.

        Raises:
            RecordError: they are damaged, or have another number of dimensions.
        """
        frame = codec.unseal(data)
        row = _COORDINATE.itemsize * self._dims
        if not frame.startswith(_KIND) or (len(frame) - len(_KIND)) % row:
            raise RecordError(
                f"its vectors are damaged, or not of {self._dims} dimensions.",
                hint="Write the item again.",
            )
        return np.frombuffer(frame, _COORDINATE, offset=len(_KIND)).reshape(-1, self._dims)


def cosines(query: Vector, rows: Vector) -> NDArray[np.float64]:
    """Return the cosine of the query with each row; 0 where either has no length."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    products = (rows @ query).astype(np.float64)
    scores = np.zeros(len(rows))
    np.divide(products, lengths, out=scores, where=lengths != 0)
    return scores


def _tokens(path: str) -> list[str] | str:
    return path if path == "$" else tokenize_path(path)
