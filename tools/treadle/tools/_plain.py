"""What a tool returned, as text."""

import json
import re
from collections.abc import Set
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def as_text(value: Any) -> str:
    """Return a text as it is, and anything else as JSON: the same whenever it is called.

    Raises:
        TypeError: a key is none that JSON has.
        ValueError: it holds itself.
        RecursionError: it is nested too deeply.
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """Return what stands for a value that JSON does not know."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Set):
        return sorted(value, key=lambda item: (type(item).__name__, str(item)))
    if isinstance(value, Enum):
        return value.value
    return to_jsonable_python(value, bytes_mode="base64", fallback=_named)


def _named(value: Any) -> str:
    """Return a value's text without its address, which differs from run to run."""
    return _ADDRESS.sub("", str(value))
