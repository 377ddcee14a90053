"""OpenAI's chat completions, sent and received as the plain data they are.

The client makes typed objects of every body and every answer, which LangChain takes apart again at
once: together most of what a model call costs in CPU.
"""

from typing import Any

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


def answer_plainly(model: ChatOpenAI) -> ChatOpenAI:
    """Let a model's asynchronous completions be plain data; return it."""
    model.async_client = PlainCompletions(model.root_async_client)
    return model
