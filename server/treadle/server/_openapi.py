"""The OpenAPI document: what each route answers, problems included."""

from typing import Any

from fastapi import FastAPI

from treadle.server._openai_errors import OpenAiError
from treadle.server._problems import MEDIA_TYPE, OPENAI, Problem

_PROBLEMS = {
    "400": "The request cannot be used.",
    "401": "A key or token is needed.",
    "403": "The key or token does not allow this.",
    "404": "There is no such thing.",
    "408": "The request did not arrive in time.",
    "409": "It does not fit what is there.",
    "413": "The request is too large.",
    "421": "The server is not known by that name.",
    "422": "The request does not fit what is described here.",
    "429": "Too many requests, or runs at once.",
    "500": "A defect of the server.",
    "503": "Redis cannot be reached.",
}
_OPEN = ("/ok", "/health/live")
"""What is answered whoever asks, and whatever state the server is in."""


def describe(app: FastAPI) -> None:
    """Have an application's document say which problems its routes may answer with."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_problems(made())
        assert app.openapi_schema is not None  # noqa: S101 - it was made
        return app.openapi_schema

    # As FastAPI's documentation has it.
    app.openapi = openapi  # type: ignore[method-assign]


def _add_problems(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = components.setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    error = OpenAiError.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(error.pop("$defs", {}))
    schemas["Error"] = error
    components["responses"] = {
        f"{name}{status}": {"description": said, "content": {media: {"schema": _ref(name)}}}
        for name, media in (("Problem", MEDIA_TYPE), ("Error", "application/json"))
        for status, said in _PROBLEMS.items()
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)  # FastAPI's own shape is never answered.
            name = "Error" if path.startswith(OPENAI) else "Problem"
            if path not in _OPEN:
                answers |= {s: {"$ref": f"#/components/responses/{name}{s}"} for s in _PROBLEMS}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
