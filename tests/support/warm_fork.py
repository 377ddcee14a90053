"""The process that `warm` forks: it loads libraries, and becomes what it is asked for."""

import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

ROOT = os.environ["PYTHONPATH"]

LIBRARIES = (
    "ag_ui.core",
    "cronsim",
    "fastapi",
    "hiredis",
    "jsonschema",
    "langchain.agents.middleware",
    "langchain_core.embeddings",
    "langchain_core.language_models",
    "langchain_core.tools",
    "langchain_openai",
    "langgraph.graph",
    "langgraph.store.base",
    "markdown_it",
    "numpy",
    "openai.resources.chat",
    "openai.resources.responses",
    "ormsgpack",
    "platformdirs",
    "prometheus_client",
    "pydantic",
    "redis.asyncio",
    "rich.console",
    "rich.markdown",
    "snowballstemmer",
    "typer",
    "uvicorn",
    "uvloop",
    "yaml",
)


def run() -> None:
    """Fork for each order that comes in through standard input, until there is nobody to order.

    Returns in each child when what was ordered is done: it ends as any Python does.
    """
    kept = set(sys.modules)
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in set(sys.modules) - kept:
        assert not name.startswith("treadle"), name
    assert threading.active_count() == 1  # others would be missing in the children
    gc.collect()
    orders = socket.socket(fileno=os.dup(0))
    while True:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the keepers are nobody's to wait for
        _, files, _, _ = socket.recv_fds(orders, 1, 4)
        if not files:
            return
        if os.fork() == 0:
            orders.close()
            break
        for file in files:
            os.close(file)
    line, *standard = files
    _keep(socket.socket(fileno=line), standard)


def _keep(line: socket.socket, standard: list[int]) -> None:
    """Fork the process that was ordered; tell its id, wait for it and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with line.makefile("r") as orders:
        order = json.loads(orders.readline())
    child = os.fork()
    if child == 0:
        line.close()
        _become(order, standard)
        return
    for file in (0, 1, 2, *standard):
        os.close(file)
    try:
        line.sendall(child.to_bytes(4))
        line.sendall(os.waitpid(child, 0)[1].to_bytes(4))
    finally:
        os._exit(0)


def _become(order: dict[str, Any], standard: list[int]) -> None:
    """Be a Python that was started with that environment, in that folder, for that script."""
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        is_error = name == "stderr"
        stream = io.TextIOWrapper(
            _buffered(number),
            encoding="utf-8",
            errors="backslashreplace" if is_error else "strict",
            line_buffering=number > 0 and (is_error or os.isatty(number)),
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path.remove("")
    sys.path.remove(ROOT)
    if places := os.environ.get("PYTHONPATH"):
        sys.path[:0] = places.split(os.pathsep)
        sys.modules.pop("sitecustomize", None)
        with suppress(ImportError):
            importlib.import_module("sitecustomize")
    _run(*order["arguments"])


def _buffered(number: int) -> io.BufferedReader | io.BufferedWriter:
    if number == 0:
        return io.BufferedReader(io.FileIO(number, "r", closefd=False))
    return io.BufferedWriter(io.FileIO(number, "w", closefd=False))


def _run(what: str, *rest: str) -> None:
    if what == "-c":
        code, *arguments = rest
        sys.argv = ["-c", *arguments]
        sys.path.insert(0, "")
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    elif what == "-m":
        module, *arguments = rest
        sys.argv = ["", *arguments]
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as Python does
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [what, *rest]
        sys.path.insert(0, os.path.dirname(os.path.abspath(what)))  # noqa: PTH100, PTH120
        runpy.run_path(what, run_name="__main__")
