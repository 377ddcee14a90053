"""What a Redis URL says: which server, service, cluster or folder, and with which options.

Nothing here opens a connection. ``shown`` is the one form of an address that may reach a
message or a log: it never holds a user name, a password or a query.
"""

# mypy: allow-untyped-calls
# (of redis-py, which leaves parse_url without annotations)

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import platformdirs
from redis.connection import parse_url as parse_redis_url

from treadle.core.errors import ConfigError

URL_VARIABLE = "TREADLE_REDIS_URL"
HOME_VARIABLE = "TREADLE_HOME"

FORMS = (
    "redis://[user:password@]host:port/db, rediss://… (TLS), unix:///path/to/socket, "
    "redis+sentinel://[user:password@]host:port,host:port/service/db, "
    "redis+cluster://[user:password@]host:port,host:port (rediss+sentinel:// and "
    "rediss+cluster:// for TLS), embedded:// and embedded:///absolute/folder"
)

TLS_FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
TLS_OPTIONS = TLS_FILES | {"ssl_cert_reqs", "ssl_check_hostname", "ssl_exclude_verify_flags"}
POSITIVE = frozenset({"max_connections", "socket_connect_timeout", "socket_timeout"})
COMMON_OPTIONS = POSITIVE | {"client_name", "password", "username"}
SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})

MISPLACED_AT = "an '@' follows its host (inside a password, write '%40', and '%2F' for '/')"

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Server:
    """One Redis server, as ``redis://``, ``rediss://`` or ``unix://`` name it.

    Attributes:
        options: how to connect, as keyword arguments of redis-py: ``host`` and ``port``, or
            ``path`` of a socket, and what user name, password and query say.
    """

    shown: str
    tls: bool
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SentinelService:
    """The current primary of a service that Sentinels watch.

    Attributes:
        hosts: the Sentinels.
        options: how to connect to the primary, as keyword arguments of redis-py.
        sentinel_options: how to connect to the Sentinels, likewise.
    """

    shown: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    tls: bool
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Redis Cluster, found through any of its nodes."""

    shown: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Embedded:
    """The server Treadle starts itself, with its data in ``folder``."""

    shown: str
    folder: Path


Address = Server | SentinelService | Cluster | Embedded


def parse(url: str | None) -> Address:
    """Return what ``url`` names; ``None`` means ``TREADLE_REDIS_URL``, else ``embedded://``.

    Raises:
        ConfigError: the URL has none of the known forms; the message shows it without
            its password.
    """
    source = "" if url is not None else f" (from {URL_VARIABLE})"
    text = (url if url is not None else os.environ.get(URL_VARIABLE, "") or "embedded://").strip()
    try:
        return _parse(text)
    except _NotUsableError as problem:
        raise ConfigError(
            f"The Redis URL {redacted(text)!r}{source} cannot be used: {problem}.",
            hint=f"Use one of: {FORMS}.",
        ) from None


def redacted(url: str) -> str:
    """Return ``url`` without anything that may be a user name, a password or an option.

    Works on malformed URLs too, such as one whose password holds an unescaped ``/`` or ``@``.
    """
    scheme = _scheme(url)
    start = f"{scheme}://" if scheme else ""
    rest = url[len(start) :]
    if "@" in rest:
        rest = "***@" + rest.rpartition("@")[2]
    rest = re.sub(r":(?!\d{1,5}([,/?#]|$)).*", ":***", rest, flags=re.DOTALL)  # not a port
    return start + re.sub(r"[?#].*", "?***", rest, flags=re.DOTALL)


def _scheme(url: str) -> str:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    return match[1] if match else ""


def home() -> Path:
    """Return the folder in which Treadle keeps this user's data, as an absolute path.

    Raises:
        ConfigError: the user has no home folder, and ``TREADLE_HOME`` names no other.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    folder = platformdirs.user_data_path("treadle")
    if not folder.is_absolute():
        raise ConfigError(
            "There is no folder for Treadle's data: this user has no home folder.",
            hint=f"Name a folder with {HOME_VARIABLE}, or a running Redis with {URL_VARIABLE}.",
        )
    return folder


class _NotUsableError(Exception):
    """Why a URL cannot be used; its text holds no part of a password."""


def _parse(text: str) -> Address:
    scheme = _scheme(text).lower()
    parser = _PARSERS.get(scheme)
    if parser is None:
        raise _NotUsableError(
            f"its scheme {scheme!r} is not known" if scheme else "it has no scheme"
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _NotUsableError("its host is malformed") from None
    if parts.fragment:
        raise _NotUsableError("it holds a '#' (inside a password, write '%23')")
    if "\0" in unquote(text):
        raise _NotUsableError("it holds a NUL character")
    return parser(parts)


def _parse_server(parts: SplitResult) -> Server:
    host, port = _only_host(parts)
    if not re.fullmatch(r"(/\d*)?", parts.path):
        raise _NotUsableError("what follows its host is not the number of a database")
    _check_options(parts, COMMON_OPTIONS | {"db"} | _tls_options(parts))
    options = _redis_options(parts) | {"host": host, "port": port}
    if parts.path.strip("/"):
        options.setdefault("db", int(parts.path[1:]))
    return Server(f"{parts.scheme}://{_join(host, port)}{parts.path}", _tls(parts), options)


def _parse_socket(parts: SplitResult) -> Server:
    path = unquote(parts.path)
    if parts.netloc.rpartition("@")[2] or not path.startswith("/"):
        raise _NotUsableError("a socket is named by its absolute path: unix:///path/to/socket")
    if parts.netloc and "@" in parts.path:
        raise _NotUsableError(MISPLACED_AT)
    _check_options(parts, COMMON_OPTIONS | {"db"})
    return Server(f"unix://{path}", False, _redis_options(parts) | {"path": path})


def _parse_sentinel(parts: SplitResult) -> SentinelService:
    hosts = _hosts(parts, DEFAULT_SENTINEL_PORT)
    segments = [unquote(segment) for segment in parts.path.strip("/").split("/")]
    service, db = segments[0], segments[1] if len(segments) > 1 else "0"
    if not service or len(segments) > 2 or not db.isdecimal():
        raise _NotUsableError("after its hosts comes /service or /service/db")
    _check_options(parts, COMMON_OPTIONS | SENTINEL_OPTIONS | {"db"} | _tls_options(parts))
    options = {"db": int(db)} | _redis_options(parts)
    sentinel_options = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in SENTINEL_OPTIONS & options.keys()
    }
    shown = f"{parts.scheme}://{_shown_hosts(hosts)}/{service}/{options['db']}"
    return SentinelService(shown, hosts, service, _tls(parts), options, sentinel_options)


def _parse_cluster(parts: SplitResult) -> Cluster:
    hosts = _hosts(parts, DEFAULT_PORT)
    if parts.path not in ("", "/", "/0"):
        raise _NotUsableError("a cluster has only database 0")
    _check_options(parts, COMMON_OPTIONS | _tls_options(parts))
    shown = f"{parts.scheme}://{_shown_hosts(hosts)}"
    return Cluster(shown, hosts, _tls(parts), _redis_options(parts))


def _parse_embedded(parts: SplitResult) -> Embedded:
    if parts.netloc or parts.query:
        raise _NotUsableError("a folder is named by its absolute path, with three slashes")
    path = unquote(parts.path)
    if path in ("", "/"):
        return Embedded("embedded://", home() / "redis")
    return Embedded(f"embedded://{path}", Path(path))


_PARSERS: Mapping[str, Callable[[SplitResult], Address]] = {
    "redis": _parse_server,
    "rediss": _parse_server,
    "unix": _parse_socket,
    "redis+sentinel": _parse_sentinel,
    "rediss+sentinel": _parse_sentinel,
    "redis+cluster": _parse_cluster,
    "rediss+cluster": _parse_cluster,
    "embedded": _parse_embedded,
}


def _tls_options(parts: SplitResult) -> frozenset[str]:
    return TLS_OPTIONS if _tls(parts) else frozenset()


def _tls(parts: SplitResult) -> bool:
    return parts.scheme.startswith("rediss")


def _check_options(parts: SplitResult, allowed: frozenset[str]) -> None:
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            # Only what looks like a name is shown: it may be a piece of a password.
            shown = f"its option {name!r}" if re.fullmatch(r"[a-z_]+", name) else "an option"
            raise _NotUsableError(f"{shown} is not one of {', '.join(sorted(allowed))}")


def _redis_options(parts: SplitResult) -> dict[str, Any]:
    """Return user name, password and query as redis-py's keyword arguments."""
    userinfo, at, _ = parts.netloc.rpartition("@")
    try:
        options = parse_redis_url(f"redis://{userinfo}{at}host?{parts.query}")
    except ValueError as problem:
        raise _NotUsableError(str(problem).rstrip(".")) from None
    for name in POSITIVE & options.keys():
        if not 0 < options[name] < math.inf:
            raise _NotUsableError(f"its {name} is not above 0: {options[name]}")
    for name in TLS_FILES & options.keys():
        if not Path(options[name]).is_file():
            raise _NotUsableError(f"its {name} names no file: {options[name]!r}")
    return {name: value for name, value in options.items() if name != "host"}


def _only_host(parts: SplitResult) -> tuple[str, int]:
    hosts = _hosts(parts, DEFAULT_PORT)
    if len(hosts) > 1:
        raise _NotUsableError("several hosts need redis+sentinel:// or redis+cluster://")
    return hosts[0]


def _hosts(parts: SplitResult, default_port: int) -> tuple[tuple[str, int], ...]:
    if "@" in parts.path + parts.query:
        raise _NotUsableError(MISPLACED_AT)
    names = parts.netloc.rpartition("@")[2].split(",")
    return tuple(_host(name.strip(), default_port) for name in names)


def _host(name: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{name}")
        host = unquote(parts.hostname or "localhost")
        host.encode("idna")  # as the resolver will, with an error of its own
        return host, parts.port or default_port
    except ValueError:
        raise _NotUsableError("its host or port is malformed") from None


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown_hosts(hosts: tuple[tuple[str, int], ...]) -> str:
    return ",".join(_join(host, port) for host, port in hosts)
