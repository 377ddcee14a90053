"""The forms in which a known secret turns up: as it is, and as URLs, JSON and base64 write it."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from treadle.core.settings import Settings

MIN_SECRET_CHARS = 8
"""Shorter values are not looked for: they would be found in ordinary words."""

REDIS_PASSWORD = "Redis password"  # noqa: S105
_URL_VARIABLE = "TREADLE_REDIS_URL"
_KEY_VARIABLE = re.compile(r"[A-Z0-9_]*_API_KEY")
_OTHER_KEY_VARIABLES = (
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "HF_TOKEN",
    "HUGGINGFACEHUB_API_TOKEN",
)


def known_secrets(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that the settings and the environment hold, by value, with their names.

    These are the variables that model profiles name as their key, those that MCP servers are
    given, those in which providers' clients look for one (every ``…_API_KEY``), and the passwords
    of the Redis URL.
    """
    named = {profile.api_key_env for profile in settings.models.values()}
    for server in settings.mcp.values():
        named |= server.secret_variables
    names = sorted(
        name
        for name in environment
        if name in named or name in _OTHER_KEY_VARIABLES or _KEY_VARIABLE.fullmatch(name)
    )
    secrets: dict[str, str] = {}
    for url in (settings.redis.url, environment.get(_URL_VARIABLE)):
        secrets |= dict.fromkeys(_passwords(url or ""), REDIS_PASSWORD)
    for name in names:
        # A header's value is 'Bearer' and the secret; it may turn up without the word.
        secrets |= dict.fromkeys([environment[name], *environment[name].split()[-1:]], name)
    return secrets


def _passwords(url: str) -> Iterator[str]:
    authority, at, _ = url.partition("://")[2].rpartition("@")
    if at and ":" in authority:
        written = authority.partition(":")[2]
        yield from (written, unquote(written))
    try:
        query = parse_qsl(urlsplit(url).query)
    except ValueError:
        return  # The URL is not usable, and whoever connects says so.
    yield from (value for name, value in query if name.endswith("password"))


def forms(value: str) -> Iterator[str]:
    """Yield the forms of a secret, each at least `MIN_SECRET_CHARS` long; none of a short one."""
    if len(value) < MIN_SECRET_CHARS:
        return
    quoted = quote(value, safe="")
    plus = quote_plus(value)
    escaped = json.dumps(value)[1:-1]
    written = {
        value,
        quoted,
        plus,
        re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quoted),
        escaped,
        json.dumps(escaped)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        *_base64_forms(value.encode("utf-8", "surrogatepass")),
    }
    yield from (form for form in written if len(form) >= MIN_SECRET_CHARS)


def _base64_forms(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of the data alone, and of the data inside something longer.

    Base64 writes three bytes as four characters, so there are three ways to begin; characters that
    also hold bits of what stands before or behind are left out.
    """
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        whole = (before + len(data)) // 3 * 4
        form = encoded[(0, 2, 3)[before] : whole]
        yield form
        yield form.translate(str.maketrans("+/", "-_"))
