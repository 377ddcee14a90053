"""What secrets look like: the key formats of well-known services, and the names of fields."""

import re
from dataclasses import dataclass
from functools import lru_cache

_ALNUM = "[A-Za-z0-9]"
_WORD = "[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """How one kind of secret looks.

    Attributes:
        kind: what the placeholder calls it.
        starts: a text without any of these holds no such secret; they are searched for first,
            because that costs next to nothing.
        match: finds it; where it has a group, the group is the secret. Every expression here takes
            time linear in the text: what repeats is possessive or bounded.
        begins: the words that such a secret begins with, or that stand before it, in lower case.
        growing: what every part of such a secret looks like that is cut behind one of these words.
    """

    kind: str
    starts: tuple[str, ...]
    match: re.Pattern[str]
    begins: tuple[str, ...]
    growing: str


def _token(kind: str, starts: tuple[str, ...], body: str, size: str) -> SecretPattern:
    """Return the pattern of a key that is a prefix and then characters of one class."""
    head = "|".join(map(re.escape, starts))
    end = "" if size.endswith(",") else f"(?!{body})"
    return SecretPattern(
        kind,
        starts,
        re.compile(rf"(?<!{_ALNUM})(?:{head}){body}{{{size}}}+{end}"),
        tuple(start.lower() for start in starts),
        rf"(?<!{_ALNUM})(?:{head}){body}*+",
    )


_PEM_HEAD = r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_URL_USER = r"[^\s/@:\[\]{}<>\"'`$]{0,200}+"
_PLACEHOLDER_PASSWORD = r"(?!(?:password|passwd|pass|pwd|pw|secret|changeme|[xX]+|\*+|\.+|…+)@)"  # noqa: S105
_URL_KEYS = ("api_key", "apikey", "api-key", "access_token", "client_secret")
_REDIS = r"(?<![A-Za-z0-9])rediss?(?:\+[a-z]{1,10})?://"

PATTERNS: tuple[SecretPattern, ...] = (
    _token("Anthropic key", ("sk-ant-",), _WORD, "20,"),
    _token("OpenAI key", ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"), _WORD, "20,"),
    _token("OpenRouter key", ("sk-or-v1-",), _ALNUM, "32,"),
    _token("OpenAI key", ("sk-",), _ALNUM, "20,"),
    _token("AWS key id", ("AKIA", "ASIA"), "[A-Z0-9]", "16"),
    _token("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _ALNUM, "36,"),
    _token("GitHub token", ("github_pat_",), "[A-Za-z0-9_]", "22,"),
    _token("GitLab token", ("glpat-",), _WORD, "20,"),
    _token(
        "Slack token",
        ("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"),
        "[A-Za-z0-9-]",
        "20,",
    ),
    _token("Slack webhook", ("hooks.slack.com/services/T",), "[A-Za-z0-9/]", "20,"),
    _token("Google key", ("AIza",), _WORD, "35"),
    _token("Google token", ("ya29.",), _WORD, "20,"),
    _token("Google client secret", ("GOCSPX-",), _WORD, "20,"),
    _token("Stripe key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"), _ALNUM, "16,"),
    SecretPattern(
        "AWS secret key",
        ("secret_access_key", "SecretAccessKey", "SECRET_ACCESS_KEY"),
        re.compile(
            r"(?<![A-Za-z0-9])(?i:secret_?access_?key)\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?"
            r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])"
        ),
        ("secret_access_key", "secretaccesskey"),
        r"(?<![A-Za-z0-9])(?i:secret_?access_?key)[\"'\\\s:=]{0,12}[A-Za-z0-9/+]*",
    ),
    SecretPattern(
        "JWT",
        ("eyJ",),
        re.compile(rf"(?<!{_WORD})eyJ{_WORD}{{8,}}+\.eyJ{_WORD}{{8,}}+\.{_WORD}{{8,}}+"),
        ("eyj",),
        rf"eyJ{_WORD}*+\.?{_WORD}*+\.?{_WORD}*",
    ),
    SecretPattern(
        "private key",
        ("-----BEGIN ",),
        re.compile(
            rf"{_PEM_HEAD}(?:(?:[^-]|-(?!----)){{0,16000}}+-----END [A-Z0-9 ]{{0,40}}-----"
            # A key that was cut off is still a key.
            r"|(?:\s|\\[nr]){0,8}[A-Za-z0-9+/=]{40,}+"
            r"(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/=]{16,}+){0,300}+)"
        ),
        ("-----begin ",),
        r"-----BEGIN (?:[A-Z0-9 ]*+-{0,4}|[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]|-(?!----))*+(?:-{0,5}|-----E[A-Z0-9 ]*+-{0,4}))",
    ),
    SecretPattern(
        "bearer token",
        ("earer", "EARER"),
        # A digit tells a token from a long word.
        re.compile(
            r"(?<![A-Za-z0-9])(?i:bearer)\s{1,4}"
            r"((?=[A-Za-z._~+/-]{0,64}[0-9])[A-Za-z0-9._~+/-]{20,}+={0,2})"
        ),
        ("bearer",),
        r"(?<![A-Za-z0-9])(?i:bearer)\s{0,4}[A-Za-z0-9._~+/-]*={0,2}",
    ),
    SecretPattern(
        "basic credentials",
        ("asic", "ASIC"),
        re.compile(
            r"(?<![A-Za-z0-9])(?i:authorization)\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?(?i:basic)\s{1,4}"
            r"([A-Za-z0-9+/_-]{8,}+={0,2})"
        ),
        ("authorization",),
        r"(?<![A-Za-z0-9])(?i:authorization)[\"'\\\s:=]{0,12}(?i:b|ba|bas|basi|basic)?\s{0,4}"
        r"[A-Za-z0-9+/_-]*={0,2}",
    ),
    SecretPattern(
        "Redis password",
        ("redis",),
        # A password with an unescaped "/" or "@" is a mistake that is easily made.
        re.compile(
            rf"{_REDIS}{_URL_USER}:{_PLACEHOLDER_PASSWORD}"
            r"(?=[^\s@]{0,200}@)([^\s\[\]{}<>\"'`$,]{1,200})@"
        ),
        ("redis",),
        rf"(?<![A-Za-z0-9])rediss?(?:\+[a-z]{{0,10}})?:?/?/?{_URL_USER}:?[^\s\[\]{{}}<>\"'`$,]{{0,200}}",
    ),
    SecretPattern(
        "password in a URL",
        ("://",),
        re.compile(rf"://{_URL_USER}:{_PLACEHOLDER_PASSWORD}([^\s/@\[\]{{}}<>\"'`$]{{1,200}}+)@"),
        ("://",),
        rf"://{_URL_USER}:?[^\s/@\[\]{{}}<>\"'`$]{{0,200}}",
    ),
    SecretPattern(
        "key in a URL",
        tuple(f"{name}=" for name in _URL_KEYS),
        re.compile(
            rf"[?&](?:{'|'.join(_URL_KEYS)})="
            r"([^\s&#\"'<>\[\]{}$]{8,500}+)"
        ),
        tuple(f"{mark}{name}=" for mark in "?&" for name in _URL_KEYS),
        rf"[?&](?:{'|'.join(_URL_KEYS)})=[^\s&#\"'<>\[\]{{}}$]{{0,500}}",
    ),
)
"""The formats that are recognised wherever they stand."""

_FIELDS = (
    "password",
    "passwd",
    "passphrase",
    "api_key",
    "secret_key",
    "secret_access_key",
    "private_key",
    "access_token",
    "refresh_token",
    "auth_token",
    "session_token",
    "client_secret",
    "secret",
    "authorization",
    "cookie",
    "token",
)
_BY_LETTERS = {name.replace("_", ""): name for name in _FIELDS}
_WHOLE = {"token", "secret", "cookie", "setcookie"}
_IN_JSON = "|".join(name.replace("_", "[_-]?") for name in _FIELDS if name not in _WHOLE)

FIELD_STARTS = (
    *("assw", "ASSW", "assphrase", "ASSPHRASE", "key", "Key", "KEY", "token", "Token", "TOKEN"),
    *("ecret", "ECRET", "uthorization", "UTHORIZATION"),
)
"""A JSON text without any of these holds no field that is named like a secret."""

FIELD_IN_JSON = re.compile(
    r"(?<![A-Za-z_-])([A-Za-z_-]{3,60}+)\\{0,3}\"\s{0,4}:\s{0,4}\\{0,3}\""
    # A digit, and no "provider:", tell most secrets from what programs have in such places.
    r"((?![a-z_]{1,40}:)(?=[^\"\\\[\]0-9]{0,1000}[0-9])(?:(?i:bearer|basic|token) )?"
    r"[^\"\\\[\]\s]{6,1000}+)(?=[\"\\])"
)
"""A field of a JSON text; group 1 is its name, group 2 its value."""

FIELD_GROWING = (
    rf"\"[A-Za-z_-]{{0,60}}+|\"[A-Za-z_-]{{0,40}}?(?i:{_IN_JSON})\\{{0,3}}(?:\"\s{{0,4}}"
    r"(?::\s{0,4}\\{0,3}(?:\"(?:(?i:bearer|basic|token) )?[^\"\\\[\]\s]{0,1000}+)?)?)?"
)
"""What a part of such a field looks like that is cut behind the quotation mark of its name."""


@lru_cache(maxsize=4_096)
def secret_field(name: str) -> str | None:
    """Return what sort of secret a field of that name holds, or ``None``."""
    letters = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    if letters in _WHOLE or letters in _BY_LETTERS:
        return _BY_LETTERS.get(letters, "cookie")
    for ending, field in _BY_LETTERS.items():
        if ending not in _WHOLE and letters.endswith(ending):
            return field
    return None


def secret_field_in_json(name: str) -> str | None:
    """Return the same for a field of a JSON text, where a bare ``token`` is mostly a word."""
    kind = secret_field(name)
    return None if kind in _WHOLE else kind


SECRET_KINDS = frozenset({*(pattern.kind for pattern in PATTERNS), *_FIELDS})
"""All names that a placeholder for a recognised secret may carry."""
