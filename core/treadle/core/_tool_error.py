"""The error that a model is told; `treadle.core.errors` loads it when it is asked for."""

from langchain_core.tools import ToolException

from treadle.core.errors import TreadleError


class ToolError(TreadleError, ToolException):
    """A tool failed in a way the model can act on; it is shown the message, not a traceback."""


ToolError.__module__ = TreadleError.__module__
