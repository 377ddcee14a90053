"""Agents: their definitions, the models they reason with, and the graphs they compile to."""

from treadle.agents._build import build_agent
from treadle.agents._catalogue import AGENT_FOLDER, agent_files, find_agent
from treadle.agents._definition import Agent, Budget, CitationMode, MemorySettings
from treadle.agents._instrument import instrument

__all__ = [
    "AGENT_FOLDER",
    "Agent",
    "Budget",
    "CitationMode",
    "MemorySettings",
    "agent_files",
    "build_agent",
    "find_agent",
    "instrument",
]
