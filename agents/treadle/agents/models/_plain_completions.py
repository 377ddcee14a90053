"""OpenAI's chat completions, sent and received as the plain data they are.

The client makes typed objects of every body and every answer, which LangChain takes apart again at
once: together most of what a model call costs in CPU. And of an answer with a schema that was cut
off it makes an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai import AsyncStream
from openai.resources.chat import AsyncCompletions

_OPTIONS = {
    "extra_headers": "headers",
    "extra_query": "params",
    "extra_body": "extra_json",
    "timeout": "timeout",
}
"""What is told of the request itself, and what the client calls it."""


class PlainCompletions(AsyncCompletions):
    """The client's own completions, whose `create` answers dictionaries.

    Connections, errors and streams are the client's own.
    """

    async def create(self, **body: Any) -> Any:
        """Ask for an answer; what is sent is what is given."""
        options: Any = {"security": {"bearer_auth": True}}
        for name, option in _OPTIONS.items():
            if name in body:
                options[option] = body.pop(name)
        return await self._client.post(
            "/chat/completions",
            cast_to=object,
            body=body,
            options=options,
            stream=bool(body.get("stream")),
            stream_cls=AsyncStream[object],
        )


class PlainOpenAI(ChatOpenAI):
    """OpenAI's chat models, whose answers are plain data.

    Refusals are kept with the message, as LangChain keeps those of typed answers, and told to the
    model again.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.async_client = PlainCompletions(self.root_async_client)

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **options: Any
    ) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **options)
        if isinstance(schema := payload.get("response_format"), dict):
            # Where LangChain sees it, it asks for typed answers.
            del payload["response_format"]
            payload["extra_body"] = {**(payload.get("extra_body") or {}), "response_format": schema}
        said = self._convert_input(input_).to_messages()
        for message, sent in zip(said, payload.get("messages", ()), strict=False):
            if isinstance(message, AIMessage) and message.additional_kwargs.get("refusal"):
                sent["refusal"] = message.additional_kwargs["refusal"]
        return payload

    def _create_chat_result(
        self, response: Any, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        if isinstance(response, dict):
            for generation, choice in zip(result.generations, response["choices"], strict=True):
                generation.message.additional_kwargs |= _refusal(choice["message"])
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], *about: Any
    ) -> ChatGenerationChunk | None:
        piece = super()._convert_chunk_to_generation_chunk(chunk, *about)
        choices: Sequence[Mapping[str, Any]] = chunk.get("choices") or ()
        if piece is not None and choices:
            piece.message.additional_kwargs |= _refusal(choices[0]["delta"])
        return piece


def _refusal(said: Mapping[str, Any]) -> dict[str, Any]:
    refusal = said.get("refusal")
    return {"refusal": refusal} if refusal else {}
