"""How an MCP server can fail, told apart."""

from enum import StrEnum

from treadle.core.errors import ToolError


class Failure(StrEnum):
    """What happened to a call."""

    UNREACHABLE = "unreachable"
    """The server could not be started or reached; nothing was called."""
    DIED = "died"
    """It ended, or the connection broke, while the call was under way."""
    HUNG = "hung"
    """It gave no answer in time."""
    REFUSED = "refused"
    """It answered that it will not do it: wrong arguments, no leave, no such tool."""
    CHANGED = "changed"
    """The tool is not the one that was accepted."""
    TOO_LARGE = "too large"
    """It sent more than may be read."""
    FAILED = "failed"
    """The tool was called and says that it failed."""


class ServerError(ToolError):
    """A call of an MCP server's tool failed.

    Attributes:
        failure: how.
    """

    def __init__(self, failure: Failure, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failure = failure
