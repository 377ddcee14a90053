"""The server: a project's agents over HTTP, for the clients people already have."""

__all__ = ["TITLE"]

TITLE = "Treadle"
"""The server's name, as its description gives it."""
