"""How the operator names the MCP servers that agents may use: ``[mcp.NAME]`` in the settings."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

ServerName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$", max_length=32)
]
"""A server's name: it stands before ``__`` in the names of its tools, so it holds none."""

_VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_URL = r"^https?://[^/?#@\s]+([/?][^\s#]*)?$"


class McpServer(BaseModel):
    """An MCP server: a program that is started, or an address.

    Attributes:
        command: the program and its arguments; spoken to over its standard input and output.
        cwd: the folder it starts in; a relative path begins at the project's folder.
        env: names of environment variables it is given, besides ``PATH``, ``HOME`` and the like.
        url: instead of a command: the address of a server that speaks streamable HTTP.
        headers_env: for each header that is sent there, the environment variable that holds it.
        tools: patterns for the names of the tools that agents may use; all when not set.
        effects: what repeating a call would do, by patterns for tools' names; the first that fits
            counts, and where none does the call is never repeated.
        trust_hints: whether a tool that calls itself read-only is believed.
        seconds: how long one call may take.
        start_seconds: how long the server may take to start and to list its tools.
        max_bytes: how long one message of the server may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    cwd: Path | None = None
    env: tuple[_VariableName, ...] = ()
    url: Annotated[str, StringConstraints(pattern=_URL)] | None = None
    headers_env: Mapping[str, _VariableName] = Field(default_factory=dict)
    tools: tuple[str, ...] = ("*",)
    effects: Mapping[str, Literal["read", "keyed", "once"]] = Field(default_factory=dict)
    trust_hints: bool = False
    seconds: float = Field(default=60, gt=0, le=3_600)
    start_seconds: float = Field(default=30, gt=0, le=600)
    max_bytes: int = Field(default=4_000_000, ge=10_000, le=100_000_000)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a 'command' or a 'url'")
        if self.url and (self.env or self.cwd):
            raise ValueError("'env' and 'cwd' are for a server that is started by a 'command'")
        if self.command and self.headers_env:
            raise ValueError("'headers_env' is for a server at a 'url'")
        return self

    @property
    def secret_variables(self) -> set[str]:
        """The environment variables whose values the server is given."""
        return {*self.env, *self.headers_env.values()}

    def permits(self, tool: str) -> bool:
        """Tell whether agents may use a tool of that name."""
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)

    def effect(self, tool: str, *, says_it_reads: bool) -> str:
        """Return what repeating a call would do.

        Args:
            tool: the tool's name at the server.
            says_it_reads: whether the server calls it read-only.
        """
        for pattern, effect in self.effects.items():
            if fnmatchcase(tool, pattern):
                return effect
        return "read" if says_it_reads and self.trust_hints else "once"
