"""Graphs that answer one question a turn, out of nodes that are named rather than programmed.

What a YAML file of a project says is made into such a graph, and ``treadle graph NAME --to python``
writes it down as code that uses these names.
"""

from treadle.graphs.turns._state import (
    TurnState,
    add,
    append,
    at,
    contains,
    merge,
    number,
    runs,
)
from treadle.graphs.turns.graph import BEGIN, FINISH, TurnGraph

__all__ = [
    "BEGIN",
    "FINISH",
    "TurnGraph",
    "TurnState",
    "add",
    "append",
    "at",
    "contains",
    "merge",
    "number",
    "runs",
]
