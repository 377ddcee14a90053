"""What requests and answers look like, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_STRING = {"type": "string"}
_HEADER = {
    "in": "header",
    "name": "A2A-Version",
    "required": True,
    "schema": {"type": "string", "enum": ["1.0"]},
}
_ID = {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"}
_PART = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "pattern": "^[A-Za-z0-9]+$"}},
    "additionalProperties": False,
}
_MESSAGE = {
    "type": "object",
    "required": ["messageId", "role", "parts"],
    "properties": {
        "messageId": _ID,
        "contextId": _ID,
        "taskId": _ID,
        "role": {"type": "string", "enum": ["ROLE_USER"]},
        "parts": {"type": "array", "minItems": 1, "items": _PART},
    },
}
_SEND = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": _MESSAGE,
        "configuration": {
            "type": "object",
            "properties": {
                "returnImmediately": {"type": "boolean"},
                "historyLength": {"type": "integer", "minimum": 0, "maximum": 1_000},
            },
        },
    },
}
_RPC = {
    "type": "object",
    "required": ["jsonrpc", "method"],
    "properties": {
        "jsonrpc": {"type": "string", "enum": ["2.0"]},
        "id": {"anyOf": [_STRING, {"type": "integer"}, {"type": "null"}]},
        "method": _STRING,
        "params": {"type": "object"},
    },
}
VERSION: dict[str, Any] = {"parameters": [_HEADER]}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {**VERSION, "requestBody": body}


MESSAGE = _body(_SEND)
JSON_RPC = _body(_RPC)


def _answer(said: str, *media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": said, "content": {one: {"schema": {}} for one in media}}}


TASKS = _answer("What was asked for.", "application/a2a+json")
STREAM = _answer("What happens, as events.", "text/event-stream")
RPC_ANSWER = _answer("A response, or a stream of them.", "application/json", "text/event-stream")


class Listing(BaseModel):
    """Which tasks are listed."""

    model_config = ConfigDict(alias_generator=to_camel)

    context_id: str | None = None
    status: str | None = None
    page_size: int | None = None
    page_token: str | None = None
    history_length: int | None = None
    status_timestamp_after: str | None = None
    include_artifacts: bool | None = None
