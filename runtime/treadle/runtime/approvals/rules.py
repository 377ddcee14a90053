"""Whether a policy's rules can be for any call: a slip of the pen in one would let calls pass."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NoReturn

from langchain_core.tools import BaseTool

from treadle.agents import Caller, Rule
from treadle.core.errors import ConfigError, nearest
from treadle.graphs import graph_files, pattern_names
from treadle.memory.window import READ_MORE
from treadle.runtime.approvals.arguments import tools_in
from treadle.runtime.approvals.paths import taken_at
from treadle.tools import Tool, ToolContext, build_tools


def check_policy(caller: Caller, context: ToolContext) -> None:
    """See that each rule of an agent's policy names a tool and arguments that there are.

    A pattern may be for tools that are yet to come. So may a name where the graph is the project's
    own, as it can call tools that only it knows, and one of an MCP server that was not accepted
    yet.

    Args:
        caller: the agent.
        context: what its tools are made with.

    Raises:
        ConfigError: a rule names a tool that the agent does not have, or an argument that none of
            the rule's tools takes.
    """
    agent, tools = caller.agent, list(caller.tools)
    is_closed = agent.graph in {*pattern_names(), *graph_files(context.project)}
    if not is_closed:
        tools += tools_in(caller.graph)
    by_name = {tool.name: tool for tool in tools}
    for number, rule in enumerate(agent.policy, 1):
        about = f"rule {number} of the policy of {agent.name!r}"
        check = _Check(rule, about, {**_accepted(rule, context), **by_name})
        if is_closed and not _is_of_server(rule, context):
            check.name({*by_name, *_made_by_graph(agent.agents)})
        check.effect()
        check.arguments()


@dataclass(frozen=True)
class _Check:
    rule: Rule
    about: str
    tools: Mapping[str, BaseTool]

    def name(self, others: Collection[str]) -> None:
        """Refuse a tool that the agent does not have."""
        wanted = self.rule.tool
        if not _is_pattern(wanted) and wanted not in {*self.tools, *others}:
            problem = f"is for the tool {wanted!r}, which the agent does not have"
            self._refuse(problem, wanted, {*self.tools, *others}, "Its tools")

    def effect(self) -> None:
        """Refuse an effect that the rule's tool does not have."""
        tool, wanted = self.tools.get(self.rule.tool), self.rule.effect
        if isinstance(tool, Tool) and wanted not in (None, tool.effect):
            raise ConfigError(
                f"{self.about} is for calls of {tool.name!r} of effect {wanted}; they are of "
                f"effect {tool.effect}."
            )

    def arguments(self) -> None:
        """Refuse an argument that no tool takes which the rule may be for."""
        fitting = [tool for name, tool in self.tools.items() if fnmatchcase(name, self.rule.tool)]
        for path in self.rule.when if fitting else ():
            taken = [taken_at(tool, path) for tool in fitting]
            known = [names for names in taken if names is not None]
            if len(known) == len(taken):
                problem = f"has a condition on {path!r}, which {self._takers(fitting)} not take"
                self._refuse(problem, path, set().union(*known), "There are")

    def _takers(self, tools: Sequence[BaseTool]) -> str:
        named = ", ".join(sorted(repr(tool.name) for tool in tools))
        return f"{named} does" if len(tools) == 1 else f"{named} do"

    def _refuse(self, problem: str, name: str, known: Iterable[str], these: str) -> NoReturn:
        close = nearest(name, known)
        offer = f" Did you mean {close!r}?" if close else ""
        told = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{self.about} {problem}.{offer} {these}: {told}.")


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _is_of_server(rule: Rule, context: ToolContext) -> bool:
    """Tell whether a rule is for a tool of an MCP server whose tools are not known."""
    server, is_apart, _ = rule.tool.partition("__")
    is_named = bool(is_apart) and server in context.settings.mcp
    return is_named and not _accepted(rule, context)


def _accepted(rule: Rule, context: ToolContext) -> dict[str, BaseTool]:
    """Return the tools that were accepted of the MCP server that a rule names, if it names one."""
    server, is_apart, _ = rule.tool.partition("__")
    if not is_apart or server not in context.settings.mcp:
        return {}
    try:
        return {tool.name: tool for tool in build_tools([f"{server}__*"], context)}
    except ConfigError:
        return {}


def _made_by_graph(colleagues: Sequence[str]) -> set[str]:
    """Return the names of the tools that graphs make themselves."""
    asking = {f"ask_{name}".replace("-", "_") for name in colleagues}
    return {READ_MORE, *asking, *(["hand_over"] if colleagues else [])}
