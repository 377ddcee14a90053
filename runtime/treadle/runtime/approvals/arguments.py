"""Checking the arguments a person gave against what their tool takes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel, ValidationError

from treadle.core.errors import InputError
from treadle.graphs import Graph

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def tools_in(graph: Graph) -> Iterator[BaseTool]:
    """Yield the tools that the tool nodes of a graph and of its subgraphs may call."""
    parts: list[Any] = [graph, *(part for _, part in graph.get_subgraphs(recurse=True))]
    for part in parts:
        for node in getattr(part, "nodes", {}).values():
            if isinstance(node.bound, ToolNode):
                yield from node.bound.tools_by_name.values()


def check_arguments(tools: Iterable[BaseTool], name: str, arguments: Mapping[str, Any]) -> None:
    """Check arguments as strictly as JSON can say them: the text ``"5"`` is no number.

    Args:
        tools: where the tool is looked for.
        name: the tool.
        arguments: all its arguments, by name.

    Raises:
        InputError: they do not fit, or the tool was not found.
    """
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        raise InputError(
            f"What {name!r} takes is not known: no tool node of the graph has it.",
            hint="Approve the call as it is, or reject it and say what should be changed.",
        )
    schema: Any = tool.tool_call_schema
    is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
    known = _names(schema) if is_model else set(schema.get("properties", {}))
    if unknown := arguments.keys() - known:
        takes = ", ".join(sorted(known)) or "none"
        raise InputError(f"{name} takes no argument {min(unknown)!r}; it takes: {takes}.")
    if not is_model:
        _check_json(name, schema, arguments)
        return
    try:
        schema.model_validate_json(json.dumps(arguments), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "arguments"
        problem = f"{name} cannot be called like that: {place}: {first['msg']}"
        raise InputError(f"{problem}; it is {first['input']!r:.80}.") from None


def _names(schema: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in schema.model_fields.items()}


def _check_json(name: str, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Check what a plain JSON schema says of names and types; the tool itself checks the rest."""
    for required in schema.get("required", ()):
        if required not in arguments:
            raise InputError(f"{name} cannot be called without {required!r}.")
    for argument, value in arguments.items():
        kind = schema["properties"][argument].get("type")
        allowed = _JSON_TYPES.get(kind) if isinstance(kind, str) else None
        if allowed is None:
            continue
        is_bool = isinstance(value, bool) and kind != "boolean"
        if is_bool or not isinstance(value, allowed):
            raise InputError(
                f"{name} cannot be called like that: {argument} is a {kind}; it is {value!r:.80}."
            )
