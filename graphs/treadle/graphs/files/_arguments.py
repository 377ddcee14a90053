"""Whether the arguments that a graph file gives a tool are those that the tool takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from treadle.core.errors import nearest
from treadle.core.yaml_files import YamlFile
from treadle.graphs.files._spec import NodeSpec


def check_arguments(file: YamlFile, name: str, node: NodeSpec, tools: Sequence[BaseTool]) -> None:
    """Refuse arguments that the tool does not know, and a call that leaves one out.

    Raises:
        ConfigError: what is wrong, with the line and what the tool takes.
    """
    (tool,) = (tool for tool in tools if tool.name == node.tool)
    schema: Mapping[str, Any] = convert_to_openai_tool(tool)["function"].get("parameters", {})
    known, needed = schema.get("properties", {}), schema.get("required", ())
    takes = ", ".join(sorted(known)) or "nothing"
    for argument in node.arguments:
        if argument not in known:
            close = nearest(argument, known)
            offer = f"Did you mean {close!r}? " if close else ""
            raise file.error(
                ("nodes", name, "arguments", argument),
                f"the tool {tool.name!r} takes no argument {argument!r}.",
                hint=f"{offer}It takes: {takes}.",
            )
    if missing := sorted(set(needed) - set(node.arguments)):
        raise file.error(
            ("nodes", name, "arguments"),
            f"the tool {tool.name!r} needs the argument {missing[0]!r}.",
            hint=f"It takes: {takes}.",
        )
