"""``POST /v1/embeddings``: vectors from hashes, the same every time, near for shared words."""

import base64
import hashlib
import math
import re
import struct
from collections.abc import Mapping
from typing import Any

from treadle.runtime.testing import _checks
from treadle.runtime.testing._checks import Check, integer, one_of, string
from treadle.runtime.testing._errors import bad_request
from treadle.runtime.testing._tokens import Tokens, count_text

Json = dict[str, Any]

_PARAMETERS: Mapping[str, Check] = {
    "input": lambda _value, _place: None,
    "model": string,
    "dimensions": integer(1, 3072),
    "encoding_format": one_of("float", "base64"),
    "user": string,
}
_DIMENSIONS = 1536
_MAX_INPUTS = 2048
_WORD = re.compile(r"\w+")


def check_embeddings(body: Mapping[str, Any]) -> None:
    """Check a whole request.

    Raises:
        ApiError: the real API would refuse it.
    """
    _checks.require(body, "input")
    _checks.check_parameters(body, _PARAMETERS)
    texts = _texts(body["input"])
    _checks.check_at_most(texts, "input", _MAX_INPUTS)
    if not all(texts):
        raise bad_request("Invalid 'input': input cannot be an empty string.", param="input")


def embedding_tokens(body: Mapping[str, Any]) -> Tokens:
    """Return what the request is billed for."""
    return Tokens(input_tokens=sum(count_text(text) for text in _texts(body["input"])))


def embeddings(body: Mapping[str, Any], tokens: Tokens) -> Json:
    """Return the list of embeddings, of unit length, in the order of the inputs."""
    size = body.get("dimensions") or _DIMENSIONS
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": at, "embedding": _encoded(embed(text, size), as_base64)}
        for at, text in enumerate(_texts(body["input"]))
    ]
    usage = {"prompt_tokens": tokens.input_tokens, "total_tokens": tokens.input_tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def embed(text: str, dimensions: int) -> list[float]:
    """Return a vector of unit length: each word adds or takes one at a place its hash names."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        vector[number % dimensions] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:  # words that cancelled each other out
        return [1.0, *vector[1:]]
    return [value / length for value in vector]


def _encoded(vector: list[float], as_base64: bool) -> list[float] | str:
    if not as_base64:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _texts(sent: Any) -> list[str]:
    """Return the inputs as texts; an array of tokens reads as its numbers."""
    if isinstance(sent, str):
        return [sent]
    if isinstance(sent, list) and sent:
        if all(isinstance(one, str) for one in sent):
            return sent
        if _are_tokens(sent):
            return [_token_text(sent)]
        if all(isinstance(one, list) and _are_tokens(one) for one in sent):
            return [_token_text(one) for one in sent]
    expected = "a string, or a non-empty array of strings, tokens or arrays of tokens"
    raise _checks.wrong_type(sent, "input", expected)


def _are_tokens(values: list[Any]) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) for one in values)


def _token_text(tokens: list[int]) -> str:
    return " ".join(map(str, tokens))
