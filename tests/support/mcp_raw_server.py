"""An MCP server over stdio of nothing but the standard library, which misbehaves as it is told.

It works in its current folder: each start adds a line to ``starts``, each call that does something
one to ``done``; ``description`` replaces what ``echo`` says of itself, ``mode`` says how it lists
its tools.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOOLS = ("echo", "die", "hang", "flood", "refuse", "fail", "noise", "act", "nonsense", "drip")


def note(name: str) -> None:
    with Path(name).open("a") as file:
        file.write(f"{os.getpid()}\n")


def read(name: str, default: str) -> str:
    return Path(name).read_text() if Path(name).exists() else default


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def definition(name: str, description: str) -> dict[str, Any]:
    properties = {"text": {"type": "string"}, "config": {"type": "string"}}
    return {
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": properties},
        "outputSchema": {"properties": {"a": {"pattern": "^(a+)+$"}}, "type": "object"},
        "annotations": {"readOnlyHint": name == "echo"},
    }


def listing(cursor: str) -> dict[str, Any]:
    echo = definition("echo", read("description", "Returns the text."))
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"type": "object", "properties": {"x": deep}}
    deeper = json.loads("[" * 500 + "]" * 500)
    listed: dict[str, dict[str, Any]] = {
        "": {"tools": [echo, *(definition(name, f"Can {name}.") for name in TOOLS[1:])]},
        "pages": {"tools": [definition(f"t{cursor}", "")], "nextCursor": f"{cursor}1"},
        "thousands": {"tools": [definition(f"t{n}", "") for n in range(5_000)]},
        "huge": {"tools": [definition("echo", "x" * 1_000_000), definition("act", "Acts.")]},
        "deep": {"tools": [{**echo, "inputSchema": deep}]},
        "deeper": {"tools": [{**echo, "inputSchema": {"x": deeper}}]},
        "twice": {"tools": [echo, definition("echo", "Another.")]},
    }
    return listed[read("mode", "")]


def call(request_id: int, name: str, arguments: dict[str, Any]) -> None:
    if name in {"die", "act"}:
        note("done")
    if name in INSTEAD:
        INSTEAD[name](request_id)
        return
    if name == "noise":
        sys.stdout.write("starting up...\n\n[1, 2\n")
    text = arguments.get("config") or arguments.get("text") or name
    result = {
        "content": [{"type": "text", "text": text}],
        "structuredContent": {"a": "a" * 40 + "!"},
        "isError": name == "fail",
    }
    send(id=request_id, result=result)


def die(request_id: int) -> None:
    sys.stderr.write("out of cheese\n")
    sys.exit(3)


def flood(request_id: int) -> None:
    sys.stdout.write('{"jsonrpc": "2.0", "id": 1, "result": "')
    for _ in range(100):
        sys.stdout.write("x" * 1_000_000)
    sys.stdout.write('"}\n')


def drip(request_id: int) -> None:
    for _ in range(600):
        sys.stdout.write(" ")
        sys.stdout.flush()
        time.sleep(0.1)


INSTEAD: dict[str, Callable[[int], None]] = {
    "die": die,
    "hang": lambda request_id: None,
    "flood": flood,
    "drip": drip,
    "refuse": lambda request_id: send(
        id=request_id, error={"code": -32000, "message": "Not before noon."}
    ),
    "nonsense": lambda request_id: send(id=request_id, result={"content": "no list"}),
}


def main() -> None:
    note("starts")
    mode = read("mode", "")
    if mode == "dies":
        sys.exit(4)
    for line in sys.stdin:
        message = json.loads(line)
        request_id, params = message.get("id"), message.get("params") or {}
        match message.get("method"):
            case _ if request_id is None:
                continue
            case "initialize" if mode != "mute":
                send(
                    id=request_id,
                    result={
                        "protocolVersion": params["protocolVersion"],
                        "capabilities": {"tools": {"listChanged": True}},
                        "serverInfo": {"name": "raw", "version": "1"},
                    },
                )
            case "tools/list" if mode == "silent":
                continue
            case "tools/list":
                send(id=request_id, result=listing(params.get("cursor", "")))
            case "tools/call":
                call(request_id, params["name"], params.get("arguments") or {})
                if read("told", ""):
                    send(method="notifications/tools/list_changed")
            case _ if mode != "mute":
                send(id=request_id, error={"code": -32601, "message": "Method not found"})


if __name__ == "__main__":
    main()
