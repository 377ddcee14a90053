"""JSON schemas of objects: what a model's answer fits, and what tools take."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

_DATA = {"const", "default", "enum", "examples"}
"""What holds values, and no schemas."""


def object_schema(schema: Mapping[str, Any], title: str = "") -> dict[str, Any]:
    """Return a JSON schema as those need it who have a model fill it: with a type and properties.

    What it says stays; what its root only refers to stands in the root itself.

    Args:
        schema: the schema; what it leaves open is an object.
        title: its title where it has none; without one it is left without.

    Raises:
        ValueError: it is no JSON schema, or no object fits it.
    """
    try:
        root = _checked(schema)
    except RecursionError:
        said = "it is no JSON schema: it is nested too deep, or leads back to itself"
        raise ValueError(said) from None
    made = {"title": title, **root} if title and "title" not in root else root
    return {**made, "type": "object", "properties": made.get("properties", {})}


def _checked(schema: Mapping[str, Any]) -> dict[str, Any]:
    jsonschema = import_module("jsonschema")  # Takes a tenth of a second of CPU to load.
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as wrong:
        raise ValueError(f"it is no JSON schema: {wrong.json_path}: {wrong.message}") from None
    places = _Places(schema)
    for place in _references(schema):
        places.at(place)
    root, _ = places.resolved(schema)
    if not places.may_be_object(root):
        raise ValueError("a JSON schema of type 'object' is needed, and no object fits this one")
    return root


class _Places:
    """What the references of a schema lead to; nothing is fetched."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        referencing = import_module("referencing")
        default = import_module("referencing.jsonschema").DRAFT202012
        resource = referencing.Resource.from_contents(schema, default_specification=default)
        self._resolver = referencing.Registry().resolver_with_root(resource)
        self._missing = referencing.exceptions.Unresolvable

    def at(self, place: str) -> Any:
        """Return what a reference leads to.

        Raises:
            ValueError: it leads nowhere.
        """
        try:
            found = self._resolver.lookup(place).contents
        except self._missing:
            raise ValueError(f"its '$ref' {place[:200]!r} leads nowhere in it") from None
        if not isinstance(found, Mapping | bool):
            raise ValueError(f"its '$ref' {place[:200]!r} leads to no schema")
        return found

    def resolved(
        self, schema: Mapping[str, Any], passed: frozenset[str] = frozenset()
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """Return a schema with what it refers to in its place, and the references to there.

        Args:
            schema: the schema.
            passed: the references that led to it, of what the same value has to fit.

        Raises:
            ValueError: it leads back to itself.
        """
        found = dict(schema)
        while isinstance(place := found.get("$ref"), str):
            if place in passed:
                raise ValueError(f"its '$ref' {place[:200]!r} leads back to itself")
            passed |= {place}
            beside = {name: value for name, value in found.items() if name != "$ref"}
            target = self.at(place)
            found = {**(target if isinstance(target, Mapping) else {}), **beside}
        return found, passed

    def may_be_object(self, schema: Any, passed: frozenset[str] = frozenset()) -> bool:
        """Return whether an object may fit a schema, as far as its types tell; see `resolved`."""
        if not isinstance(schema, Mapping):
            return schema is True
        known, passed = self.resolved(schema, passed)
        kinds = known.get("type", "object")
        if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
            return False
        return all(self.may_be_object(one, passed) for one in known.get("allOf", ())) and all(
            any(self.may_be_object(one, passed) for one in known[name])
            for name in ("anyOf", "oneOf")
            if name in known
        )


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(place := schema.get("$ref"), str):
            yield place
        for name, value in schema.items():
            if name not in _DATA:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
