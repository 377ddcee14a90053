"""Lua scripts that run in Redis, for the rooms that keep something of their own there.

An operation is a generator that yields script calls, or pipelines of them, and is sent the
replies; ``driver_of(client, owner)`` runs it with ``run`` or ``arun``.
"""

from treadle.memory._drivers import Driver, driver_of, script_of
from treadle.memory._keys import checked_prefix, encoded
from treadle.memory._lua import Pipeline, Request, Script, ScriptCall, load_script

__all__ = [
    "Driver",
    "Pipeline",
    "Request",
    "Script",
    "ScriptCall",
    "checked_prefix",
    "driver_of",
    "encoded",
    "load_script",
    "script_of",
]
