"""The lock file: the tools of MCP servers as the operator has seen and accepted them.

Agents are given what stands in it, so a server that changes a tool's description changes nothing
that a model reads until the operator accepts that too; and graphs are made, and runs replayed,
without any server.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treadle.core.errors import ConfigError
from treadle.tools.mcp._definitions import Definition

LOCK_FILE = "mcp.lock"
"""The lock file's name, in the project's folder."""

_VERSION = 1

Tools = Mapping[str, Definition]
"""Tools by their names at the server."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How what a server lists differs from what was accepted.

    Attributes:
        added: tools that are new.
        changed: tools whose description, schema or hint is another.
        removed: tools that are gone.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.added or self.changed or self.removed)

    @classmethod
    def between(
        cls, accepted: Mapping[str, Definition], now: Mapping[str, Definition]
    ) -> "Changes":
        """Compare what was accepted with what there is now."""
        return cls(
            tuple(sorted(now.keys() - accepted.keys())),
            tuple(sorted(n for n in now.keys() & accepted.keys() if now[n] != accepted[n])),
            tuple(sorted(accepted.keys() - now.keys())),
        )


@dataclass(frozen=True)
class Lock:
    """A project's lock file.

    Attributes:
        path: the file.
        servers: the accepted tools by server and name.
    """

    path: Path
    servers: Mapping[str, Tools] = field(default_factory=dict)

    @classmethod
    def read(cls, project: Path) -> "Lock":
        """Read a project's lock file; one that is not there accepts nothing.

        Raises:
            ConfigError: it cannot be read.
        """
        path = project / LOCK_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, _servers(data))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"this is no lock file of MCP servers: {error}.",
                hint="Restore it, or remove it and accept each server: treadle mcp trust NAME.",
                path=path,
            ) from None

    def accept(self, server: str, tools: Tools) -> None:
        """Write the file with these tools of a server, the others as they are.

        Raises:
            ConfigError: it cannot be written.
        """
        servers = {**self.servers, server: tools}
        data = {
            "version": _VERSION,
            "servers": {
                name: [servers[name][tool].to_dict() for tool in sorted(servers[name])]
                for name in sorted(servers)
            },
        }
        partial = self.path.with_suffix(".lock.new")
        try:
            partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", "utf-8")
            partial.replace(self.path)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}.", path=self.path) from None


def _servers(data: Any) -> dict[str, dict[str, Definition]]:
    if data["version"] != _VERSION:
        raise ValueError(f"its version is {data['version']!r}, and {_VERSION} is known")
    return {
        server: {tool["name"]: Definition.from_dict(tool) for tool in tools}
        for server, tools in data["servers"].items()
    }
