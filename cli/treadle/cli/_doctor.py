"""``treadle doctor``."""

import asyncio
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import get_args

import typer
from rich.text import Text

from treadle.agents import agent_files
from treadle.agents.models import Models, info_of
from treadle.cli._console import counted, out, print_json
from treadle.cli._opening import Opening
from treadle.core.errors import ConfigError, TreadleError
from treadle.core.plugins import Kind, load_plugin, plugin_names, plugin_package
from treadle.core.settings import EMBEDDED_MODEL, SETTINGS_FILE, Settings, home, project_folder
from treadle.runtime import AgentCheck, Runtime
from treadle.runtime.notifications import faults
from treadle.runtime.queue import QueueStats
from treadle.tools.mcp import Lock

_MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "wrong": ("✗", "red")}
_KEYS = {"OPENAI_API_KEY": "openai:gpt-5-mini", "ANTHROPIC_API_KEY": "anthropic:MODEL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what was looked at.
        state: ``ok``, ``note`` (works, could be better) or ``wrong``.
        detail: what was found, and what to do about it.
    """

    about: str
    state: str
    detail: str


def examine(opening: Opening, *, as_json: bool) -> None:
    """Print what is configured and what is missing; leave with 2 when something is wrong."""
    findings = list(_findings(opening))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, style = _MARKS[finding.state]
            line = Text(f"{mark} ", style=style).append(f"{finding.about:<10}", style="bold")
            out.print(line.append(f" {finding.detail}", style="default"), soft_wrap=True)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(2)


def _findings(opening: Opening) -> Iterator[Finding]:
    yield Finding("treadle", "ok", f"{version('treadle')} on Python {platform.python_version()}")
    try:
        settings = opening.settings()
    except TreadleError as error:
        yield Finding("settings", "wrong", str(error))
        return
    yield _settings_finding(opening)
    yield from _model_findings(settings)
    yield from _agent_findings(opening, settings)
    yield from _redis_findings(opening)
    yield from _notification_findings(settings)
    yield from _mcp_findings(opening, settings)
    yield from _plugin_findings()
    yield from _extra_findings(settings)


def _settings_finding(opening: Opening) -> Finding:
    path = project_folder(opening.project) / SETTINGS_FILE
    if path.is_file():
        return Finding("settings", "ok", str(path))
    detail = f"no {SETTINGS_FILE} in {path.parent}: defaults are used. 'treadle new' makes one."
    return Finding("settings", "note", detail)


def _model_findings(settings: Settings) -> Iterator[Finding]:
    for name in dict.fromkeys([settings.model, *settings.models]):
        try:
            model = Models(settings).resolve(name)
        except TreadleError as error:
            yield Finding("model", "wrong", str(error))
            continue
        if info_of(model.chat).name == EMBEDDED_MODEL:
            detail = "embedded: it quotes what it finds and is no LLM; set TREADLE_MODEL for one."
            keys = [key for key in _KEYS if os.environ.get(key)]
            if keys:
                detail += f" {keys[0]} is set: TREADLE_MODEL={_KEYS[keys[0]]} would use it."
            yield Finding("model", "note", detail)
        else:
            price = "price known" if info_of(model.chat).price else "price unknown"
            yield Finding("model", "ok", f"{name}: {info_of(model.chat).name}, {price}")


def _agent_findings(opening: Opening, settings: Settings) -> Iterator[Finding]:
    folder = project_folder(opening.project)
    good = []
    wrong: dict[str, list[str]] = {}
    check = AgentCheck(folder, settings)
    for name in agent_files(folder, with_shipped=settings.shipped_agents):
        try:
            check.check(name)
        except TreadleError as error:
            wrong.setdefault(str(error), []).append(name)
        else:
            good.append(name)
    for why, names in wrong.items():  # A missing key is said once of all that need it.
        yield Finding("agents", "wrong", f"{', '.join(names)}: {why}")
    yield Finding("agents", "ok" if good else "note", ", ".join(good) or "none")


def _redis_findings(opening: Opening) -> Iterator[Finding]:
    async def look(runtime: Runtime) -> tuple[str, int, QueueStats]:
        info = await runtime.redis_version()
        return info, len(await runtime.documents.files()), await runtime.queue.stats()

    try:
        server, documents, queues = opening.run(look)
    except TreadleError as error:
        yield Finding("redis", "wrong", str(error))
        return
    url = opening.redis or opening.settings().redis.url
    place = "as configured" if url else f"embedded, data in {home()}"
    yield Finding("redis", "ok", f"{server}, {place}")
    if documents:
        yield Finding("documents", "ok", f"{counted(documents, 'file')} indexed")
    else:
        yield Finding("documents", "note", "none indexed: 'treadle index PATH' reads some.")
    for name in filter(queues.is_unserved, queues.ready):
        detail = (
            f"runs wait in {name!r} and nobody serves it: 'treadle worker --queue {name}' does."
        )
        yield Finding("queue", "wrong", detail)


def _notification_findings(settings: Settings) -> Iterator[Finding]:
    """Look whether somebody could be told; 'treadle notifications test' tells them."""
    for name, error in asyncio.run(faults(settings, os.environ)).items():
        if error is not None:
            yield Finding("notify", "wrong", f"{name}: {error}")
        else:
            yield Finding("notify", "ok", f"{name}: 'treadle notifications test {name}' tries it")


def _plugin_findings() -> Iterator[Finding]:
    """Load what installed packages bring, which otherwise happens only when it is named."""
    for kind in get_args(Kind):
        for name in plugin_names(kind):
            try:
                load_plugin(kind, name)
            except ConfigError as error:
                yield Finding("plugin", "wrong", str(error))
            else:
                yield Finding("plugin", "ok", f"{kind} {name} of {plugin_package(kind, name)}")


def _mcp_findings(opening: Opening, settings: Settings) -> Iterator[Finding]:
    """Look at what was accepted; 'treadle mcp list' asks the servers themselves."""
    if settings.mcp and find_spec("mcp") is None:
        yield Finding("mcp", "wrong", "servers are configured: pip install 'treadle[mcp]'")
        return
    try:
        lock = Lock.read(project_folder(opening.project))
    except TreadleError as error:
        yield Finding("mcp", "wrong", str(error))
        return
    for name in settings.mcp:
        if name in lock.servers:
            tools = counted(len(lock.servers[name]), "tool")
            yield Finding("mcp", "ok", f"{name}: {tools} accepted")
        else:
            yield Finding("mcp", "note", f"{name} is not accepted yet: treadle mcp trust {name}")


def _extra_findings(settings: Settings) -> Iterator[Finding]:
    if settings.tools.wikipedia.zim is None:
        return
    if find_spec("libzim") is None:
        detail = "tools.wikipedia.zim is set and libzim is missing: pip install 'treadle[zim]'"
        yield Finding("wikipedia", "wrong", detail)
    elif not settings.tools.wikipedia.zim.is_file():
        detail = f"there is no file {settings.tools.wikipedia.zim}"
        yield Finding("wikipedia", "wrong", detail)
    else:
        yield Finding("wikipedia", "ok", f"offline from {settings.tools.wikipedia.zim}")
