"""What an MCP server says of its tools, bounded and cleaned before anybody reads it."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DESCRIPTION_CHARS = 8_000
MAX_SCHEMA_CHARS = 32_000
MAX_SCHEMA_DEPTH = 32
MAX_NAME_CHARS = 64
"""The longest name of a tool that model providers take."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool of a server, as models are told of it.

    Attributes:
        name: its name at the server.
        description: what it does, in the server's words.
        schema: the JSON schema of its arguments.
        says_it_reads: whether the server calls it read-only.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    says_it_reads: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "description": self.description,
            "schema": self.schema,
            "says_it_reads": self.says_it_reads,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Definition":
        """Read it from plain data."""
        return cls(data["name"], data["description"], data["schema"], data["says_it_reads"])

    @property
    def digest(self) -> str:
        """What changes whenever anything of it does."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools of a server.

    Attributes:
        tools: those that can be used, by their names at the server.
        left_out: those that cannot, and why.
    """

    tools: Mapping[str, Definition] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def shown_name(server: str, tool: str) -> str:
    """Return the name by which models and agent files know a tool: ``server__tool``.

    Other characters than providers allow become ``_``. What is too long, or was changed, ends in
    a digest, so that no two tools share a name.
    """
    plain = _NOT_IN_NAMES.sub("_", tool)
    name = f"{server}__{plain}"
    if plain == tool and len(name) <= MAX_NAME_CHARS:
        return name
    digest = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{name[: MAX_NAME_CHARS - 7]}_{digest}"


def listing_of(tools: Iterable[Any]) -> Listing:
    """Read what a server listed.

    Args:
        tools: ``Tool`` objects of the MCP SDK.
    """
    found: dict[str, Definition] = {}
    left_out: dict[str, str] = {}
    for tool in tools:
        name = tool.name if len(tool.name) <= 128 else f"{tool.name[:40]}…"
        if not tool.name or name != tool.name or clean(tool.name) != tool.name:
            left_out[clean(name)] = "its name is empty, very long or holds invisible characters"
        elif name in found:
            left_out[name] = "it is listed twice"
        elif reason := _too_large(tool):
            left_out[name] = reason
        else:
            says_it_reads = bool(tool.annotations and tool.annotations.read_only_hint)
            schema = {"type": "object", "properties": {}, **_cleaned(tool.input_schema)}
            found[name] = Definition(name, clean(tool.description or ""), schema, says_it_reads)
    return Listing(found, left_out)


def clean(text: str) -> str:
    """Return a text without characters that people do not see and models read."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def _too_large(tool: Any) -> str:
    description = len(tool.description or "")
    if description > MAX_DESCRIPTION_CHARS:
        return f"its description has {description:,} characters, over {MAX_DESCRIPTION_CHARS:,}"
    if _depth(tool.input_schema) > MAX_SCHEMA_DEPTH:
        return f"its schema is nested deeper than {MAX_SCHEMA_DEPTH} levels"
    size = len(json.dumps(tool.input_schema))
    if size > MAX_SCHEMA_CHARS:
        return f"its schema has {size:,} characters, over {MAX_SCHEMA_CHARS:,}"
    return ""


def _depth(value: Any) -> int:
    """Return how deep data is nested, without recursion; one more than the most is enough."""
    depth, level = 0, [value]
    while level and depth <= MAX_SCHEMA_DEPTH:
        depth += 1
        level = [inner for each in level for inner in _inside(each)]
    return depth


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): _cleaned(inner) for key, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
