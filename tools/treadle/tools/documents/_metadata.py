"""What is known of a file besides its text, and conditions on it."""

import datetime
import os
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any, TypeAlias

from treadle.core.errors import ToolError

Note: TypeAlias = dict[str, Any]
"""What is kept with a file: ``digest``, ``stamp`` and ``meta``."""

MAX_KEYS = 30
MAX_CONDITION_CHARS = 2_000
MAX_VALUE_CHARS = 200
_UNSETTLED_SECONDS = 2.0
_BOUNDS = {"min", "max"}


def stamp_of(status: os.stat_result) -> str:
    """Return what tells, unread, that a file is the same; nothing where it was only just written.

    A file that is written twice within a tick of the clock looks the same after both.
    """
    if time.time() - status.st_mtime < _UNSETTLED_SECONDS:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def metadata_of(uri: str, status: os.stat_result, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what searches can be narrowed by: what the file says of itself, and what it is."""
    said = [(str(key)[:MAX_VALUE_CHARS].lower(), _plain(value)) for key, value in told.items()]
    changed = datetime.datetime.fromtimestamp(status.st_mtime, datetime.UTC).date()
    return {
        **{key: value for key, value in said[:MAX_KEYS] if value not in (None, [])},
        "path": uri,
        "type": PurePath(uri).suffix.lower().removeprefix(".") or "text",
        "modified": changed.isoformat(),
    }


def fits(meta: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Tell whether a file fits all conditions.

    A text is a pattern with ``*`` for the whole value, a list asks for any of its members, and
    ``{"min": ..., "max": ...}`` bounds numbers and dates; a value that is a list fits when any
    member does.
    """
    return all(_value_fits(meta.get(key.lower()), wanted) for key, wanted in where.items())


def check_conditions(where: Mapping[str, Any], known: set[str]) -> None:
    """Make sure that conditions can be fulfilled.

    Raises:
        ToolError: no file says anything of that kind, a bound is no bound, or the conditions are
            too long: patterns can be written to take long.
    """
    if len(repr(where)) > MAX_CONDITION_CHARS:
        raise ToolError(f"'where' is longer than {MAX_CONDITION_CHARS:,} characters.")
    for key, wanted in where.items():
        if key.lower() not in known:
            there = ", ".join(sorted(known))
            raise ToolError(f"No document says its {key!r}; 'where' takes: {there}.")
        if isinstance(wanted, Mapping) and (not wanted or not wanted.keys() <= _BOUNDS):
            raise ToolError(f"{key!r} is bounded by {dict(wanted)!r}; bounds are 'min' and 'max'.")


def _value_fits(value: Any, wanted: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, list):
        return any(_value_fits(each, wanted) for each in value)
    if isinstance(wanted, list):
        return any(_value_fits(value, each) for each in wanted)
    if isinstance(wanted, Mapping):
        return _within(value, wanted.get("min"), wanted.get("max"))
    return fnmatchcase(str(value).casefold(), str(wanted).casefold())


def _within(value: Any, least: Any, most: Any) -> bool:
    """Compare numbers as numbers, and all else, such as dates, as written."""
    for bound, is_least in ((least, True), (most, False)):
        if bound is None:
            continue
        try:
            distance = float(value) - float(bound)
        except (TypeError, ValueError):
            # A bound such as 2024 holds for all that begins with it.
            text = str(value)[: len(str(bound))] if not is_least else str(value)
            distance = (text > str(bound)) - (text < str(bound))
        if distance < 0 if is_least else distance > 0:
            return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        return value[:MAX_VALUE_CHARS]
    if isinstance(value, list):
        plain = [_plain(each) for each in value[:MAX_KEYS] if not isinstance(each, list)]
        return [each for each in plain if each is not None]
    return None
