"""Graphs that a project describes in YAML: ``graphs/NAME.yaml`` is the graph NAME.

A file is read, checked as a whole, and made into a `treadle.graphs.turns.TurnGraph`; or it is
written down as Python code that makes the same graph.
"""

from pathlib import Path

from treadle.core.yaml_files import read_yaml
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs.files._checks import check
from treadle.graphs.files._compile import compile_spec
from treadle.graphs.files._python import python_of
from treadle.graphs.files._spec import GraphSpec
from treadle.graphs.files._stand_ins import with_stand_ins

__all__ = ["GRAPH_FOLDER", "GraphFile", "graph_files"]

GRAPH_FOLDER = "graphs"
"""The folder of a project that holds its graph files."""


def graph_files(project: Path) -> dict[str, Path]:
    """Return the graph files of a project by their graphs' names."""
    found: dict[str, Path] = {}
    for pattern in ("*.yml", "*.yaml"):
        found |= {path.stem: path for path in sorted((project / GRAPH_FOLDER).glob(pattern))}
    return dict(sorted(found.items()))


class GraphFile:
    """A graph that a YAML file describes.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be read, or what it says is wrong, with the line and what is allowed.
    """

    def __init__(self, path: Path) -> None:
        self._file = read_yaml(path, "a graph file")
        self._spec = self._file.parse(GraphSpec)
        check(self._file, self._spec)

    def compile(self, parts: GraphParts) -> Graph:
        """Return the graph, made of those parts.

        Raises:
            ConfigError: a tool, an agent or a function that it names is not there.
        """
        return compile_spec(self._file, self._spec, parts)

    def drawn(self, parts: GraphParts) -> Graph:
        """Return the graph with stand-ins for the tools and agents that it names, for a picture."""
        return self.compile(with_stand_ins(self._spec, parts))

    def to_python(self) -> str:
        """Return code whose function makes the same graph of `GraphParts`."""
        return python_of(self._file.path, self._spec)
