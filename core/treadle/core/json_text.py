"""What a graph holds, as JSON, and when two values are the same in it."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python


def as_json(value: Any) -> bytes:
    """Return a value as JSON; what JSON has no word for becomes its text."""
    try:
        return to_json(value, fallback=str, bytes_mode="base64", inf_nan_mode="null")
    except PydanticSerializationError:  # Half of a pair of surrogates: a chunk was cut inside one.
        plain = to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="null")
        return json.dumps(plain).encode()


def same_json(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON: true is not 1, as it is in Python."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)
