"""A model provider on loopback that costs next to nothing: one tool call, then an answer.

``python -m benchmarks.runs.provider`` prints its address and serves until it is ended. It speaks
OpenAI's chat completions, whole and streamed, keeps connections open, and decides by the last
message alone: a tool's result gets the answer, all else gets the call of ``add``.
"""

import asyncio
import json
from typing import Any

ANSWER = "Two and two is four, as it always was."
USAGE = {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72}
BASE = {"id": "chatcmpl-1", "created": 1, "model": "gpt-5-mini"}
CALL = {"name": "add", "arguments": '{"a": 2, "b": 2}'}


def _whole(is_answer: bool) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER if is_answer else None}
    if not is_answer:
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": CALL}]
    choice = {"index": 0, "message": message, "finish_reason": _reason(is_answer)}
    body = {**BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    return _response(json.dumps(body).encode(), "application/json")


def _streamed(is_answer: bool) -> bytes:
    if is_answer:
        deltas: list[Any] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word + " "} for word in ANSWER.split()]
    else:
        call = {"index": 0, "id": "call_1", "type": "function", "function": CALL}
        deltas = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    choices = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": _reason(is_answer)}])
    chunks: list[Any] = [{"choices": choice} for choice in choices]
    chunks.append({"choices": [], "usage": USAGE})
    lines = [json.dumps({**BASE, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
    return _response(body.encode(), "text/event-stream")


def _reason(is_answer: bool) -> str:
    return "stop" if is_answer else "tool_calls"


def _response(body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


_WHOLE = {answer: _whole(answer) for answer in (True, False)}
_STREAMED = {answer: _streamed(answer) for answer in (True, False)}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            asked = json.loads(await reader.readexactly(length))
            is_answer = asked["messages"][-1]["role"] == "tool"
            writer.write((_STREAMED if asked.get("stream") else _WHOLE)[is_answer])
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
