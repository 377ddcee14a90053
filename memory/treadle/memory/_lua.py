"""What is asked of Redis: calls of Lua scripts, one round trip each or many in one."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest Redis knows it by."""

    source: str
    sha: str

    @classmethod
    def of(cls, source: str) -> "Script":
        """Return the script of that source."""
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of a script on keys that share a hash tag: one round trip."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Calls that need none of the others' replies: one round trip to each node concerned.

    The reply is the list of their replies. When one fails, the others are made all the same.

    Attributes:
        calls: the calls.
        in_order: whether each is made after the one before it, also where their keys are on
            several nodes: a cluster is asked one by one then. A call may be made twice.
    """

    calls: tuple[ScriptCall, ...]
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class FindKeys:
    """A search for the keys that match ``pattern``, over all nodes. Not for a hot path."""

    pattern: str


Request = ScriptCall | Pipeline | FindKeys
"""What an operation asks of Redis, one at a time."""


def load_script(package: str, name: str) -> Script:
    """Return ``lua/<name>.lua`` of a package, after ``lua/_common.lua`` where there is one."""
    folder = files(package) / "lua"
    common = folder / "_common.lua"
    source = common.read_text() if common.is_file() else ""
    source += (folder / f"{name}.lua").read_text()
    return Script.of(source)
