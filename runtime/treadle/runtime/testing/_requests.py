"""A request as the server received it, with what tests ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SECRET_HEADERS = {"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"}
REDACTED = "[redacted]"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whether it was answered or refused.

    Attributes:
        method: ``"GET"`` or ``"POST"``.
        path: without the query, such as ``"/v1/chat/completions"``.
        headers: names in lower case; the values of keys and cookies read ``"[redacted]"``.
        body: the JSON body; empty when there was none or it was no JSON object.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json

    @property
    def model(self) -> str:
        """The model asked for, or an empty string."""
        return str(self.body.get("model") or "")

    @property
    def stream(self) -> bool:
        """Whether the answer was asked for as a stream."""
        return self.body.get("stream") is True

    @property
    def messages(self) -> list[Json]:
        """The ``messages``, or the ``input`` items of ``/v1/responses`` (a text as one message)."""
        sent = self.body.get("messages", self.body.get("input"))
        if isinstance(sent, str):
            return [{"role": "user", "content": sent}]
        return [item for item in sent if isinstance(item, dict)] if isinstance(sent, list) else []

    @property
    def system_text(self) -> str:
        """The instructions and the system and developer messages, one after the other."""
        instructions = self.body.get("instructions")
        texts = [instructions] if isinstance(instructions, str) else []
        texts += [
            text_of(message.get("content"))
            for message in self.messages
            if message.get("role") in {"system", "developer"}
        ]
        return "\n".join(texts)

    @property
    def last_user_text(self) -> str:
        """The text of the last message of the user, or an empty string."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return ""

    @property
    def tool_names(self) -> list[str]:
        """The names of the tools offered to the model, in their order."""
        tools = self.body.get("tools") or []
        functions = [tool.get("function", tool) for tool in tools if isinstance(tool, dict)]
        return [str(one.get("name", "")) for one in functions if isinstance(one, dict)]

    @property
    def tool_outputs(self) -> dict[str, str]:
        """What the tools answered: text by the id of the call, in the order sent."""
        outputs = {}
        for item in self.messages:
            if item.get("role") == "tool":
                outputs[str(item.get("tool_call_id"))] = text_of(item.get("content"))
            elif item.get("type") == "function_call_output":
                outputs[str(item.get("call_id"))] = text_of(item.get("output"))
        return outputs

    @property
    def response_format(self) -> Json | None:
        """The format asked for: ``response_format``, or ``text.format`` of ``/v1/responses``."""
        text = self.body.get("text")
        asked = self.body.get("response_format") or (
            text.get("format") if isinstance(text, dict) else None
        )
        return asked if isinstance(asked, dict) else None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A request refused as the real API would refuse it; it took no reply from the script.

    Attributes:
        request: what was sent.
        status: the HTTP status it got.
        message: what was wrong with it.
        param: where, such as ``"messages[2].role"``; ``None`` where no place is named.
    """

    request: Request
    status: int
    message: str
    param: str | None


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "".join(text for text in parts if isinstance(text, str))


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers by lower-case name, with keys and cookies redacted."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {name: REDACTED if name in _SECRET_HEADERS else value for name, value in lowered.items()}
