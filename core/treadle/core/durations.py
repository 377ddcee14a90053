"""Spans of time as people write them in files and on the command line: ``30s``, ``15m``, ``2d``."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SIZES = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def read_duration(value: Any) -> Any:
    """Return a span that was written as a number and a unit; what a journal holds stays as it is.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, str) and (told := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value)):
        try:
            return timedelta(**{_UNITS[told[2]]: float(told[1])})
        except OverflowError:
            raise ValueError("this is longer than time is counted; give a shorter span") from None
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    raise ValueError("give a number and a unit, such as 30s, 15m, 1h or 2d")


def show_duration(span: timedelta) -> str:
    """Return a span as a person writes it, in the largest unit that divides it: ``90m``, ``2d``."""
    ms = span // timedelta(milliseconds=1)
    for unit, size in _SIZES:
        if ms and ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms / 1_000:g}s"


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
"""A field that holds a span."""
