"""Speaking with a server that is a program: JSON lines over its standard input and output.

The SDK's own transport reads lines of any length, and joins their pieces in quadratic time; this
one ends the server at a line that is too long, and keeps what it last wrote to standard error.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

MAX_OTHER_LINES = 1_000
"""How many lines that are no messages are passed over: some servers log to standard output."""

_STDERR_BYTES = 2_000
_GRACE_SECONDS = 2.0


@dataclass
class End:
    """How a connection ended, or is about to.

    Attributes:
        reason: as ``"the server ..."`` would go on; empty while nothing is known.
        is_too_large: whether it sent more than is read.
    """

    reason: str = ""
    is_too_large: bool = False


@asynccontextmanager
async def stdio_transport(
    command: Sequence[str], cwd: Path, environment: dict[str, str], max_bytes: int, end: End
) -> AsyncGenerator[tuple[Any, Any], None]:
    """Start a server and yield the streams of its messages; it is ended with the block.

    Args:
        command: the program and its arguments.
        cwd: the folder it starts in.
        environment: variables it is given besides those every program needs.
        max_bytes: how long a message may be.
        end: is told how the connection ended.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=get_default_environment() | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=max_bytes,
        start_new_session=True,
    )
    program = _Program(process, end)
    received, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(program.read(received)),
        asyncio.create_task(program.write(to_send, received)),
        asyncio.create_task(program.listen()),
    ]
    try:
        yield incoming, outgoing
    finally:
        await _ended(process, tasks)
        for stream in (received, incoming, outgoing, to_send):
            stream.close()


class _Program:
    def __init__(self, process: asyncio.subprocess.Process, end: End) -> None:
        self._process = process
        self._end = end
        self._stderr = b""

    async def read(self, received: Any) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        others = 0
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with received:
                while line := await self._line(self._process.stdout):
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError:
                        others += 1
                        if b'"jsonrpc"' in line:
                            self._end.reason = "sent a message that cannot be read"
                        elif others > MAX_OTHER_LINES:
                            self._end.reason = "writes other things than messages"
                        if self._end.reason:
                            return
                        continue
                    await received.send(SessionMessage(message))
                await self._note_exit()

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError:
            self._end.reason, self._end.is_too_large = "sent a message that is too long", True
            return b""

    async def write(self, to_send: Any, received: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            async for message in to_send:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._process.stdin.write(text.encode() + b"\n")
                await self._process.stdin.drain()
        except (OSError, anyio.ClosedResourceError):
            received.close()  # Whoever waits for an answer is not to wait for ever.

    async def listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        while piece := await self._process.stderr.read(4_096):
            self._stderr = (self._stderr + piece)[-_STDERR_BYTES:]

    async def _note_exit(self) -> None:
        if self._end.reason:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1)
        code = self._process.returncode
        how = "closed its output" if code is None else f"ended with exit code {code}"
        last = self._stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        self._end.reason = f"{how} ({last})" if last else how


async def _ended(process: asyncio.subprocess.Process, tasks: list[asyncio.Task[None]]) -> None:
    """End a server: its input closes, then it is told to stop, then it is stopped."""
    for task in tasks[:2]:
        task.cancel()
    assert process.stdin is not None  # noqa: S101 - it was asked for
    process.stdin.close()
    for sent in (None, signal.SIGTERM, signal.SIGKILL):
        if sent is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, sent)
        if await _is_over(process):
            break
    # What it started may live on in its process group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process._transport.close()  # type: ignore[attr-defined]  # or a grandchild's pipe keeps it
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _is_over(process: asyncio.subprocess.Process) -> bool:
    """Wait a little; not for ``process.wait()``, which waits for the pipes of grandchildren too."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _GRACE_SECONDS
    while process.returncode is None:
        if loop.time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
