"""The rules for tools and JSON schemas, which both ways of asking a model share."""

from collections.abc import Iterator
from typing import Any

from treadle.runtime.testing import _checks
from treadle.runtime.testing._errors import bad_request

_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
_LISTED_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")

Path = tuple[str, ...]


def check_function(function: Any, place: str) -> None:
    """Check a function that a tool declares: name, description, parameters, strict.

    Raises:
        ApiError: it cannot be offered to a model.
    """
    _checks.mapping(function, place)
    _checks.check_name(_checks.require(function, "name", place), f"{place}.name")
    if function.get("description") is not None:
        _checks.string(function["description"], f"{place}.description")
    if function.get("strict") is not None:
        _checks.boolean(function["strict"], f"{place}.strict")
    parameters = function.get("parameters")
    if parameters is not None:
        _checks.mapping(parameters, f"{place}.parameters")
        fault = _fault(parameters, strict=function.get("strict") is True)
        if fault:
            message = f"Invalid schema for function '{function['name']}': {fault}"
            param = f"{place}.parameters"
            raise bad_request(message, param=param, code="invalid_function_parameters")


def check_output_schema(asked: Any, place: str) -> None:
    """Check a named schema for the answer: name, schema, strict.

    Raises:
        ApiError: no answer could be held to it.
    """
    _checks.mapping(asked, place)
    _checks.check_name(_checks.require(asked, "name", place), f"{place}.name")
    strict = asked.get("strict") is True
    if strict:
        _checks.require(asked, "schema", place)
    schema = asked.get("schema")
    if schema is not None:
        _checks.mapping(schema, f"{place}.schema")
        fault = _fault(schema, strict=strict)
        if fault:
            message = f"Invalid schema for response_format '{asked['name']}': {fault}"
            raise bad_request(message, param=place)


def check_tool_choice(choice: Any, named: str | None, tool_names: list[str]) -> None:
    """Check that a choice of tool can be kept; ``named`` is the function it insists on."""
    if not tool_names and choice not in ("none", "auto"):
        message = "Invalid value for 'tool_choice': it is only allowed when 'tools' are specified."
        raise bad_request(message, param="tool_choice")
    if named is not None and named not in tool_names:
        message = f"Tool choice '{named}' not found in 'tools' parameter."
        raise bad_request(message, param="tool_choice")
    if isinstance(choice, str):
        _checks.one_of("none", "auto", "required")(choice, "tool_choice")


def _fault(schema: dict[str, Any], *, strict: bool) -> str:
    """Return what is wrong with a schema, or an empty string."""
    if schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got {schema.get('type')!r}."
    waiting: list[tuple[Path, Any]] = [((), schema)]
    while waiting:
        path, node = waiting.pop()
        fault = _node_fault(node, strict=strict)
        if fault:
            return f"In context={path}, {fault}."
        if isinstance(node, dict):
            waiting.extend((path + step, child) for step, child in _children(node))
    return ""


def _node_fault(node: Any, *, strict: bool) -> str:
    if isinstance(node, bool):
        return ""
    if not isinstance(node, dict):
        return f"{node!r:.80} is not a schema"
    kinds = node.get("type", [])
    names = kinds if isinstance(kinds, list) else [kinds]
    fault = _type_fault(names) or _shape_fault(node, names)
    if not fault and strict and "object" in names:
        return _strict_fault(node)
    return fault


def _type_fault(names: list[Any]) -> str:
    for name in names:
        if not isinstance(name, str) or name not in _TYPES:
            return f"{name!r:.80} is not valid under any of the given schemas"
    return ""


def _shape_fault(node: dict[str, Any], names: list[Any]) -> str:
    if "array" in names and "items" not in node and "prefixItems" not in node:
        return "array schema missing items"
    if not isinstance(node.get("properties", {}), dict):
        return "'properties' is not an object"
    if not isinstance(node.get("required", []), list):
        return "'required' is not an array"
    return ""


def _strict_fault(node: dict[str, Any]) -> str:
    if node.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    missing = [name for name in node.get("properties", {}) if name not in node.get("required", [])]
    if missing:
        return f"'required' is required to include every key in properties. Missing '{missing[0]}'"
    return ""


def _children(node: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for keyword in _NAMED_SCHEMAS:
        named = node.get(keyword)
        if isinstance(named, dict):
            yield from (((keyword, name), child) for name, child in named.items())
    for keyword in _LISTED_SCHEMAS:
        listed = node.get(keyword)
        if isinstance(listed, list):
            yield from (((keyword, str(at)), child) for at, child in enumerate(listed))
    if "items" in node:
        yield ("items",), node["items"]
