"""What the schema of a tool's arguments has at a dotted path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel


def taken_at(tool: BaseTool, path: str) -> set[str] | None:
    """Return the paths that a tool takes instead of one; ``None`` where it may take that one.

    Args:
        tool: the tool.
        path: names and numbers with dots between, as a rule's conditions have them.
    """
    schema: Any = tool.tool_call_schema
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        schema = schema.model_json_schema()
    elif not isinstance(schema, Mapping):
        return None
    # The arguments themselves are always an object.
    return _instead({"type": "object", **schema}, path.split("."), schema)


def _instead(schema: Any, path: Sequence[str], root: Mapping[str, Any]) -> set[str] | None:
    """Return the paths there are instead; ``None`` where there may be something at this one."""
    found: set[str] = set()
    for form in _forms(schema, root, frozenset()) if path else (True,):
        there = _instead_in(form, path, root)
        if there is None:
            return None
        found |= there
    return found


def _instead_in(form: Any, path: Sequence[str], root: Mapping[str, Any]) -> set[str] | None:
    kinds = _kinds(form)
    if kinds is None:
        return None  # Anything may be there.
    found: set[str] = set()
    if "array" in kinds:
        there = _in_array(form, path, root)
        if there is None:
            return None
        found |= there
    if "object" in kinds:
        there = _in_object(form, path, root)
        if there is None:
            return None
        found |= there
    return found


def _in_array(form: Any, path: Sequence[str], root: Mapping[str, Any]) -> set[str] | None:
    if "prefixItems" in form or not isinstance(form.get("items"), Mapping):
        return None
    return _instead(form["items"], path[1:] if path[0].isdecimal() else path, root)


def _in_object(form: Any, path: Sequence[str], root: Mapping[str, Any]) -> set[str] | None:
    fields, name = form.get("properties"), path[0]
    if not isinstance(fields, Mapping):
        return None
    if name in fields:
        there = _instead(fields[name], path[1:], root)
        return None if there is None else {f"{name}.{one}" for one in there} or {name}
    takes_more = form.get("additionalProperties", False) is not False
    return None if takes_more or "patternProperties" in form else set(fields)


def _kinds(form: Any) -> set[str] | None:
    """Return the types of what a schema describes; ``None`` where it does not say."""
    if not isinstance(form, Mapping):
        return None
    told = form.get("type") or [
        kind for kind, key in (("object", "properties"), ("array", "items")) if key in form
    ]
    return ({told} if isinstance(told, str) else set(told)) or None


def _forms(schema: Any, root: Mapping[str, Any], seen: frozenset[str]) -> Iterator[Any]:
    """Yield the schemas of which what a schema describes fits one, or all."""
    if not isinstance(schema, Mapping):
        yield schema
        return
    if isinstance(ref := schema.get("$ref"), str):
        if ref not in seen:
            yield from _forms(_at(ref, root), root, seen | {ref})
        return
    parts = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
    for part in parts:
        yield from _forms(part, root, seen)
    if not parts or "properties" in schema:
        yield schema


def _at(ref: str, root: Mapping[str, Any]) -> Any:
    """Return what a pointer into the schema points to; ``True``, which is anything, elsewhere."""
    found: Any = root
    for name in ref.removeprefix("#/").split("/") if ref.startswith("#/") else ("",):
        found = found.get(name, True) if isinstance(found, Mapping) else True
    return found
