"""The OpenAPI document: what each route answers, problems included."""

from collections.abc import Set as AbstractSet
from typing import Any

from fastapi import FastAPI

from treadle.server._a2a_errors import A2aError
from treadle.server._openai_errors import OpenAiError
from treadle.server._problems import A2A, MEDIA_TYPE, OPENAI, Problem
from treadle.server.security import Guard

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
    "502": "A model's provider failed.",
    "503": "Redis cannot be reached.",
}
_FORMS = {"Problem": MEDIA_TYPE, "Error": "application/json", "A2aError": "application/json"}
"""The forms that errors have, and their media types."""
_OPEN = ("/ok", "/health/live")
"""What is answered whoever asks, and whatever state the server is in."""
_CREDENTIALS = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key, or a token of the OpenID provider.",
    },
}
"""What a caller may show; either is enough."""


def describe(app: FastAPI) -> None:
    """Have an application's document say which problems its routes answer with, and to whom."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            _add_problems(document)
            guard = _guard_of(app)
            if guard is not None and guard.authenticator.requires_key:
                _add_credentials(document, guard.public)
        assert app.openapi_schema is not None  # noqa: S101 - it was made
        return app.openapi_schema

    # As FastAPI's documentation has it.
    app.openapi = openapi  # type: ignore[method-assign]


def _guard_of(app: FastAPI) -> Guard | None:
    """Return who is let in; ``None`` before the application was started, as nobody is."""
    serving = getattr(app.state, "serving", None)
    return serving.guard if serving is not None else None


def _add_problems(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = components.setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name, form in (("Error", OpenAiError), ("A2aError", A2aError)):
        error = form.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(error.pop("$defs", {}))
        schemas[name] = error
    components["responses"] = {
        f"{name}{status}": {"description": said, "content": {media: {"schema": _ref(name)}}}
        for name, media in _FORMS.items()
        for status, said in _PROBLEMS.items()
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)  # FastAPI's own shape is never answered.
            name = _form_of(path)
            if path not in _OPEN:
                answers |= {s: {"$ref": f"#/components/responses/{name}{s}"} for s in _PROBLEMS}


def _add_credentials(document: dict[str, Any], public: AbstractSet[str]) -> None:
    document["components"]["securitySchemes"] = _CREDENTIALS
    document["security"] = [{name: []} for name in _CREDENTIALS]
    for path in public & document["paths"].keys():
        for operation in document["paths"][path].values():
            operation["security"] = []


def _form_of(path: str) -> str:
    if path.startswith(OPENAI):
        return "Error"
    return "A2aError" if path.startswith(A2A) else "Problem"


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
