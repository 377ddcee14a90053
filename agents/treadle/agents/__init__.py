"""Agents: their definitions, the models they reason with, and the graphs they compile to."""

from treadle.agents._build import BuiltAgent, Caller, build_agent
from treadle.agents._catalogue import AGENT_FOLDER, agent_files, find_agent
from treadle.agents._definition import Agent, Budget, CitationMode, ClientTool, MemorySettings
from treadle.agents._instrument import instrument
from treadle.agents._langgraph_file import LANGGRAPH_FILE, LangGraphFile, langgraph_file
from treadle.agents._policy import MAX_EXPIRES, Decision, Rule, first_rule

__all__ = [
    "AGENT_FOLDER",
    "LANGGRAPH_FILE",
    "MAX_EXPIRES",
    "Agent",
    "Budget",
    "BuiltAgent",
    "Caller",
    "CitationMode",
    "ClientTool",
    "Decision",
    "LangGraphFile",
    "MemorySettings",
    "Rule",
    "agent_files",
    "build_agent",
    "find_agent",
    "first_rule",
    "instrument",
    "langgraph_file",
]
