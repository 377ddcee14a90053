"""Asking a server whether it will do, and saying clearly why it will not."""

# mypy: allow-untyped-calls
# (of redis-py, which leaves execute_command without annotations)

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import redis
import redis.sentinel

from treadle.core.certificates import causes, distrust
from treadle.core.errors import RedisError
from treadle.memory._redis_binary import OLDEST
from treadle.memory._redis_clients import SyncRedis, sync_client
from treadle.memory._redis_url import Cluster, SentinelService, Server

LOADED_WITHIN_SECONDS = 60.0
LOADING_POLL_SECONDS = 0.05
ANSWERS_WITHIN_SECONDS = 5.0

PERHAPS_TLS = "If it asks for TLS, use rediss:// instead of redis://."
PERHAPS_OURS = "If it asks for a certificate, add ?ssl_certfile=…&ssl_keyfile=…."
PERHAPS_PLAIN = "If it is plain Redis, use redis:// instead of rediss://."

Remote = Server | SentinelService | Cluster


def check(address: Remote, given_up: threading.Event) -> None:
    """Return when the server answers, has loaded its data and is recent enough.

    Needs no rights beyond being let in: a user without PING, INFO or CONFIG passes.

    Args:
        address: the server or servers.
        given_up: set it from another thread to end the wait for a loading server.

    Raises:
        RedisError: it cannot be used; the message says why and what to do.
    """
    impatient = {"socket_timeout": ANSWERS_WITHIN_SECONDS, **address.options}
    checked = sync_client(replace(address, options=impatient), retries=0)
    with explained(address), checked as client:
        _wait_until_loaded(client, given_up)
        _check_greeting(address, _greeting(client))


@contextmanager
def explained(address: Remote) -> Iterator[None]:
    """Turn redis-py's errors into a ``RedisError`` that names the server and says what to do."""
    try:
        yield
    except (redis.RedisError, redis.exceptions.RedisClusterException) as error:
        message, hint = _explanation(address, error)
        raise RedisError(f"Redis at {address.shown} {message}", hint=hint) from error


def _wait_until_loaded(client: SyncRedis, given_up: threading.Event) -> None:
    deadline = time.monotonic() + LOADED_WITHIN_SECONDS
    while True:
        try:
            client.ping()
        except redis.exceptions.NoPermissionError:
            return  # it answered; whether PING is allowed does not matter
        except redis.BusyLoadingError:
            if time.monotonic() > deadline or given_up.wait(LOADING_POLL_SECONDS):
                raise
        else:
            return


def _greeting(client: SyncRedis) -> Mapping[str, str]:
    """Return what the server says of itself: ``version`` and, where it tells, ``mode``."""
    anywhere = {}
    if isinstance(client, redis.RedisCluster):
        anywhere = {"target_nodes": client.get_random_node()}
    try:
        return _pairs(client.execute_command("HELLO", **anywhere))
    except redis.exceptions.NoPermissionError:
        return {}
    except redis.ResponseError:
        pass
    # Older than 6.0, or a proxy that does not know the command.
    try:
        info = client.execute_command("INFO", "server", **anywhere)
    except redis.ResponseError:
        return {}
    return {"version": str(info.get("redis_version", ""))}


def _pairs(answer: Any) -> dict[str, str]:
    pairs = (
        answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    )
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _check_greeting(address: Remote, greeting: Mapping[str, str]) -> None:
    numbers = re.match(r"(\d+)\.(\d+)", greeting.get("version", ""))
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise RedisError(
            f"Redis at {address.shown} is version {greeting['version']}, which is too old.",
            hint="Treadle needs Redis 6.2 or later, or any Valkey.",
        )
    other = _OTHER_MODES.get(greeting.get("mode", "")) if isinstance(address, Server) else None
    if other is not None:
        what, scheme = other
        raise RedisError(f"Redis at {address.shown} is {what}.", hint=f"Use {scheme}.")


_OTHER_MODES = {
    "cluster": ("a node of a cluster", "redis+cluster://host:port"),
    "sentinel": ("a Sentinel", "redis+sentinel://host:port/service"),
}


def _explanation(address: Remote, error: BaseException) -> tuple[str, str]:
    """Return what follows "Redis at …" and what to do."""
    if isinstance(error, redis.exceptions.RedisClusterException) and error.__cause__:
        error = error.__cause__  # what the last node that was tried said
    said = _said(error)
    behind = list(causes(error))
    no_primary = [
        cause for cause in behind if isinstance(cause, redis.sentinel.MasterNotFoundError)
    ]
    match error:
        case _ if isinstance(address, SentinelService) and no_primary:
            told = _no_primary(address, str(no_primary[0]))
        case redis.AuthenticationError() | redis.exceptions.AuthorizationError():
            told = _not_let_in(said)
        case redis.BusyLoadingError():
            told = _still_loading()
        case redis.exceptions.RedisClusterException() if isinstance(address, Cluster):
            told = _no_cluster(said)
        case redis.TimeoutError():
            told = _no_answer(address)
        case redis.ConnectionError():
            told = _not_reached(address, said, behind)
        case _:
            told = f"refused: {said}", ""
    return told


def _still_loading() -> tuple[str, str]:
    return (
        f"is still loading its data after {LOADED_WITHIN_SECONDS:.0f} seconds.",
        "Wait until it has, and try again.",
    )


def _no_answer(address: Remote) -> tuple[str, str]:
    hint = "Check host, port and firewall, or add ?socket_timeout=seconds to the URL."
    return "did not answer in time.", f"{hint} {PERHAPS_PLAIN}" if address.tls else hint


def _not_let_in(said: str) -> tuple[str, str]:
    if "without any password configured" in said:
        return (
            "asks for no password, but the URL holds one.",
            "Leave user and password out of the URL.",
        )
    if re.search("NOAUTH|required", said):
        return "asks for a password.", "Put it into the URL: redis://user:password@host:port."
    return (
        f"refused the user name or password: {said}",
        "Correct them in the URL; percent-encode special characters ('@' is '%40').",
    )


def _no_primary(address: SentinelService, said: str) -> tuple[str, str]:
    failed = [
        f"{host}:{port} ({kind})"
        for host, port, kind in re.findall(r"host=([^,]+),port=(\d+).*?> - \w+:(\w+)", said)
    ]
    silent = f" These did not tell: {', '.join(failed)}." if failed else ""
    return (
        f"has no primary: no Sentinel names one for the service {address.service!r}.{silent}",
        "Check the service's name, and that the Sentinels can be reached and let us in.",
    )


def _no_cluster(said: str) -> tuple[str, str]:
    return (
        f"cannot be used as a cluster: {said}",
        "Check its hosts and ports; for a single server use redis://host:port.",
    )


def _not_reached(address: Remote, said: str, behind: list[BaseException]) -> tuple[str, str]:
    told = f"cannot be reached: {said}", "Check that Redis runs, and its host and port."
    if "closed by server" in said and not address.tls:
        told = "ended the connection at once.", PERHAPS_TLS
    for cause in behind:
        match cause:
            case ssl.SSLError():
                told = _no_tls(cause)
            case socket.gaierror():
                told = "has a host name that does not resolve.", "Correct it in the URL."
            case FileNotFoundError():
                told = "cannot be reached: there is no such socket.", "Start Redis, or correct it."
            case PermissionError():
                told = "cannot be reached: this user may not open the socket.", ""
            case ConnectionResetError():
                told = "ended the connection at once.", PERHAPS_OURS if address.tls else PERHAPS_TLS
    return told


def _no_tls(cause: ssl.SSLError) -> tuple[str, str]:
    certificate = distrust(
        cause,
        unknown="Name the authority that signed it: ?ssl_ca_certs=/path/to/ca.pem.",
        meanwhile="Until then ?ssl_exclude_verify_flags=VERIFY_X509_STRICT takes it as it is.",
    )
    if certificate is not None:
        return f"{certificate.problem}.", certificate.hint
    hint = f"{PERHAPS_OURS} {PERHAPS_PLAIN}"
    return f"does not speak TLS as expected: {cause.reason or cause}.", hint


def _said(error: BaseException) -> str:
    """Return the first line of an error's text, as a sentence."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    return first if first.endswith(".") else f"{first}."
