"""Reading agents from YAML files, with errors that carry the line."""

from pathlib import Path

from treadle.agents._definition import Agent
from treadle.core.yaml_files import read_yaml


def read_agent(path: Path) -> Agent:
    """Read an agent from a YAML file; see `Agent.from_file`."""
    file = read_yaml(path, "an agent file")
    file.data.setdefault("name", path.stem)
    return file.parse(Agent)
