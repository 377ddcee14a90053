"""What a graph holds, as JSON."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python


def as_json(value: Any) -> bytes:
    """Return a value as JSON; what JSON has no word for becomes its text."""
    try:
        return to_json(value, fallback=str, bytes_mode="base64", inf_nan_mode="null")
    except PydanticSerializationError:  # Half of a pair of surrogates: a chunk was cut inside one.
        plain = to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="null")
        return json.dumps(plain).encode()
