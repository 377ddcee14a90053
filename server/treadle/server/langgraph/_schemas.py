"""The JSON schemas of a graph."""

from typing import Any

from pydantic import create_model
from pydantic.errors import PydanticUserError


def schemas_of(graph: Any) -> dict[str, Any]:
    """Return the schemas of what a graph takes, gives and holds; ``None`` where there is none."""
    return {
        "input_schema": _made(graph.get_input_jsonschema),
        "output_schema": _made(graph.get_output_jsonschema),
        "state_schema": _made(lambda: _state_schema(graph)),
        "config_schema": {},  # LangGraph 1.0 has the context instead.
        "context_schema": _made(graph.get_context_jsonschema),
    }


def _state_schema(graph: Any) -> dict[str, Any]:
    channels = {name: graph.channels[name].UpdateType for name in graph.stream_channels_list}
    fields: Any = {name: (kind, None) for name, kind in channels.items()}
    schema: dict[str, Any] = create_model(f"{graph.name}_state", **fields).model_json_schema()
    return schema


def _made(make: Any) -> Any:
    try:
        return make()
    except PydanticUserError:
        return None  # The protocol's word for a state that JSON Schema cannot describe.
