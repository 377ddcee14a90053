"""Secrets are taken out of texts, data and streams; everything else stays as it is."""

import base64
import json
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.support.rooms import ROOMS, ROOT, python_files
from treadle.core.redaction import MAX_DEPTH, MAX_HELD_CHARS, Redactor
from treadle.core.settings import ModelProfile, RedisSettings, Settings

ALNUM = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4fGh7jKl0nOp3rSt6vWx9z"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow{0}\n{0}\n-----END RSA PRIVATE KEY-----".format(
    ALNUM * 3
)
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{ALNUM[:43]}"

# Put together here, so that no scanner of this repository takes them for real ones.
FORMATS = [
    ("OpenAI key", "sk-" + ALNUM[:48]),
    ("OpenAI key", "sk-proj-" + ALNUM + "_-" + ALNUM),
    ("OpenAI key", "sk-svcacct-" + ALNUM),
    ("Anthropic key", "sk-ant-" + "api03-" + ALNUM),
    ("AWS key id", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("GitHub token", "ghp_" + ALNUM[:36]),
    ("GitHub token", "github_pat_" + ALNUM[:22] + "_" + ALNUM[:40]),
    ("GitLab token", "glpat-" + ALNUM[:20]),
    ("Slack token", "xoxb-" + "123456789012-" + ALNUM[:24]),
    ("Google key", "AIza" + ALNUM[:35]),
    ("Google token", "ya29." + ALNUM),
    ("Stripe key", "sk_live_" + ALNUM[:24]),
    ("Stripe key", "rk_test_" + ALNUM[:24]),
    ("JWT", JWT),
    ("private key", PEM),
    ("private key", PEM.replace("\n", "\\n")),
    ("private key", PEM[:-40]),
]
CONTEXTS = [  # the text, the secret in it, what it is called
    ("Authorization: Bearer {}", "abcdefgh-1234-ijklmnop", "bearer token"),
    ("authorization: BEARER {}", "abcdefgh.1234.ijklmnop", "bearer token"),
    ("Authorization: Basic {}", "dXNlcjpodW50ZXIy", "basic credentials"),
    ("https://ben:{}@example.org/x", "hunter2", "password in a URL"),
    ("postgres://ben:{}@db:5432/x", "a%40b!c", "password in a URL"),
    ("redis://:{}@cache.example.org:6379/0", "hunter2", "Redis password"),
    ("rediss://ben:{}@cache", "hun/t@er2", "Redis password"),
    ("redis+sentinel://:{}@a:26379,b:26379/main", "hunter2", "Redis password"),
    ("GET /v1?q=1&api_key={}&x=2", "0123456789abcdef", "key in a URL"),
    ("aws_secret_access_key = {}", (ALNUM + "/+")[-40:], "AWS secret key"),
    ('{{"password": "{}"}}', "hunter2hunter2", "password"),
    ('{{\\"x-api-key\\": \\"{}\\"}}', "hunter2hunter2", "api_key"),
]
KEY = 'pass/word "é" 123'
SETTINGS = Settings(
    redis=RedisSettings(url="redis://:s3cr%40t-word@localhost:6379/0"),
    models={"fast": ModelProfile(model="openai:gpt-5-mini", api_key_env="MY_KEY")},
)
ENVIRONMENT = {"MY_KEY": KEY, "OPENAI_API_KEY": "lowercase-openai-key", "OTHER": "left-alone-value"}
REDACTOR = Redactor.from_settings(SETTINGS, ENVIRONMENT)


@pytest.mark.parametrize(("kind", "secret"), FORMATS)
@pytest.mark.parametrize("around", ["{}", "key={}", '{{"a": "{}"}}', "It is {}.", "a\n{}\nb"])
def test_known_formats_are_recognised(kind: str, secret: str, around: str) -> None:
    assert REDACTOR.redact_text(around.format(secret)) == around.format(f"[redacted: {kind}]")


@pytest.mark.parametrize(("text", "secret", "kind"), CONTEXTS)
def test_secrets_are_recognised_by_what_stands_beside_them(
    text: str, secret: str, kind: str
) -> None:
    assert REDACTOR.redact_text(text.format(secret)) == text.format(f"[redacted: {kind}]")


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        quote_plus(KEY),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(KEY))[3:-3],
    ],
)
def test_a_configured_key_is_found_in_every_form(form: str) -> None:
    assert REDACTOR.redact_text(f"x{form}y") == "x[redacted: MY_KEY]y"


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from(["std", "url"]))
def test_a_configured_key_is_found_inside_base64(before: bytes, after: bytes, form: str) -> None:
    encode = base64.b64encode if form == "std" else base64.urlsafe_b64encode
    encoded = encode(before + KEY.encode() + after).decode()
    shown = REDACTOR.redact_text(encoded)
    assert "[redacted: MY_KEY]" in shown
    rest = shown.replace("[redacted: MY_KEY]", "")
    assert len(encoded) - len(rest) >= len(KEY), "only edges of it are left"


def test_configured_values_are_those_that_settings_and_providers_name() -> None:
    text = "lowercase-openai-key left-alone-value s3cr@t-word s3cr%40t-word"
    assert REDACTOR.redact_text(text) == (
        "[redacted: OPENAI_API_KEY] left-alone-value [redacted: Redis password] "
        "[redacted: Redis password]"
    )


def test_short_values_are_not_looked_for() -> None:
    assert Redactor({"dog": "A", "": "B"}).redact_text("a dog") == "a dog"


def test_a_key_that_is_the_name_of_its_variable_does_not_grow() -> None:
    redactor = Redactor({"OPENAI_API_KEY": "OPENAI_API_KEY", "redacted: ": "[odd] name"})
    once = redactor.redact_text("OPENAI_API_KEY")
    assert once == "[redacted: OPENAI_API_KEY]" == redactor.redact_text(once)


def test_the_projects_own_pages_and_sources_are_left_alone() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    sources = [path for room in ROOMS for path in python_files(room)]
    texts = {str(path): path.read_text("utf-8") for path in [*pages, *sources]}
    changed = [path for path, text in texts.items() if REDACTOR.redact_text(text) != text]
    assert len(texts) > 100
    assert not changed


ORDINARY = """
The bearer of this letter, the standard-bearer-of-the-regiment, takes basic training. Authorization:
required. The token was wrong; a bearer token is sent as "Authorization: Bearer <token>". Set
OPENAI_API_KEY=sk-... or password=hunter; {"password": "", "token": "Tuesday", "secret": null}.
class="sk-fading-circle sk-cube-grid-of-many-small-cubes" task-list-of-things risk-free-investments
https://example.org:8080/@user/x?key=value&api_key=KEY mailto:ben@example.org http://[::1]:80/
redis://localhost:6379/0 redis://[user:password@]host:port/db redis://:password@redis.example.org
https://user:password@host/ https://$USER:$PASSWORD@host/ https://en.wikipedia.org/wiki/Foo:Bar@Baz
-----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY----- are headers of PEM files as we know them
6f1ed002ab5595859014ebf0951522d9 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
eyJ is how a JWT begins. 123e4567-e89b-12d3-a456-426614174000 AKIA ghp_ xoxb- AIza sk_live_ ya29.
"""


def test_ordinary_text_is_left_alone() -> None:
    assert REDACTOR.redact_text(ORDINARY) == ORDINARY
    assert REDACTOR.redact(json.dumps(ORDINARY)) == json.dumps(ORDINARY)


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(frozen=True)
class Held:
    note: str
    password: str = ""


def test_data_is_redacted_however_deep_and_keys_too() -> None:
    key = FORMATS[0][1]
    data = {
        "a": [{"b": (key, 1)}, {key}, frozenset([key]), key.encode()],
        key: "value",
        "pair": Pair(key, 2.5),
        "held": Held(key, "short"),
        "headers": {"Authorization": "x", "X-API-Key": "y", "db_password": "z", "Cookie": "k"},
        "schema": {"properties": {"password": {"type": "string"}}},
        "plain": {"tokens": "many", "token": 3, "secret": None, "password": ""},
    }
    hidden = "[redacted: OpenAI key]"
    assert REDACTOR.redact(data) == {
        "a": [{"b": (hidden, 1)}, {hidden}, frozenset([hidden]), hidden.encode()],
        hidden: "value",
        "pair": Pair(hidden, 2.5),
        "held": Held(hidden, "[redacted: password]"),
        "headers": {
            "Authorization": "[redacted: authorization]",
            "X-API-Key": "[redacted: api_key]",
            "db_password": "[redacted: password]",
            "Cookie": "[redacted: cookie]",
        },
        "schema": data["schema"],
        "plain": data["plain"],
    }
    assert data["a"][0]["b"][0] == key, "the data itself is not changed"


def test_two_keys_that_become_alike_are_both_kept() -> None:
    clean = REDACTOR.redact({FORMATS[0][1]: 1, FORMATS[1][1]: 2})
    assert sorted(clean.values()) == [1, 2]
    assert REDACTOR.redact(clean) == clean


def test_log_probabilities_are_no_secrets() -> None:
    data = {"content": [{"token": " responsibility", "logprob": -0.1}]}
    assert REDACTOR.redact(data) is data


def test_messages_are_redacted_and_keep_their_kind() -> None:
    key = FORMATS[0][1]
    call = {"name": "t", "args": {"api_key": "k", "q": key}, "id": "1", "type": "tool_call"}
    messages = [
        HumanMessage(f"my key is {key}", id="h"),
        AIMessage([{"type": "text", "text": key}], tool_calls=[call], id="a"),
        ToolMessage("ok", tool_call_id="1", artifact={"sources": [{"uri": f"https://x/{key}"}]}),
        HumanMessage("nothing here"),
    ]
    clean = REDACTOR.redact(messages)
    assert key not in json.dumps([message.model_dump() for message in clean])
    assert [type(message) for message in clean] == [type(message) for message in messages]
    assert clean[1].tool_calls[0]["args"] == {
        "api_key": "[redacted: api_key]",
        "q": "[redacted: OpenAI key]",
    }
    assert clean[0].id == "h"
    assert clean[3] is messages[3]
    assert key in messages[0].text


def test_data_that_is_nested_without_end_is_cut() -> None:
    data: list[object] = [FORMATS[0][1]]
    for _ in range(10_000):
        data = [data]
    clean: object = REDACTOR.redact(data)
    for _ in range(MAX_DEPTH):
        assert isinstance(clean, list)
        clean = clean[0]
    assert clean == "[redacted: nested too deeply]"


@pytest.mark.parametrize(
    "piece",
    [
        "plain words and https://example.org/a?b=c ",
        *(
            "a",
            "\\",
            '"',
            "sk-",
            "eyJ",
            "xoxb-.",
            "bearer ",
            "://",
            "://a:",
            "redis://",
            "AKIA",
            "-",
        ),
        *("redis://a:b", '"password": "', "-----BEGIN PRIVATE KEY-----", "[redacted: JWT]"),
        "Authorization: Basic, ",
    ],
)
def test_ten_megabytes_are_read_in_linear_time(piece: str) -> None:
    # Anything but linear time would not end within a day.
    text = piece * (10_000_000 // len(piece))
    assert REDACTOR.redact_text(text) is text


PIECES = st.sampled_from(
    [
        *(secret for _, secret in FORMATS),
        *(text.format(secret) for text, secret, _ in CONTEXTS),
        *("[redacted: JWT]", "[redacted: ", "]", " ", "\n", "x", "-", "sk-", "eyJ", "bearer "),
        *(KEY, KEY[:9], KEY[9:], "lowercase-openai-key", "lowercase-open", "ai-key", '"token": "'),
        *('"password": "', "redis://", "://u:", "@", "-----BEGIN ", "PRIVATE KEY-----", ALNUM),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = REDACTOR.redact_text(text)
    assert REDACTOR.redact_text(once) == once
    assert KEY not in once


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["password", "note", "token"]) | TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_redacting_data_twice_is_redacting_it_once(data: object) -> None:
    once = REDACTOR.redact(data)
    assert REDACTOR.redact(once) == once
    assert KEY not in repr(once)


def streamed(text: str, sizes: list[int]) -> list[str]:
    stream, told = REDACTOR.stream(), []
    while text:
        size = sizes[len(told) % len(sizes)]
        told.append(stream.feed(text[:size]))
        text = text[size:]
    return [*told, stream.close()]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(secret for _, secret in FORMATS[:-1]),
                *(text.format(secret) for text, secret, _ in CONTEXTS),
                *(KEY, "lowercase-openai-key", "s3cr@t-word", "some words", "sk-x", '{"a": "b"}'),
                *("a bearer", "-----BEGIN it", "https://example.org/a", "[redacted: JWT]"),
            ]
        ),
        max_size=6,
    ),
    st.sampled_from([" ", "\n", ", ", ".\n\n"]),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_a_stream_is_redacted_as_the_whole_would_be(
    pieces: list[str], between: str, sizes: list[int]
) -> None:
    text = between.join(pieces)
    assert "".join(streamed(text, sizes)) == REDACTOR.redact_text(text)


@given(TEXTS, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_a_stream_never_tells_a_key(text: str, sizes: list[int]) -> None:
    told = "".join(streamed(text, sizes))
    assert KEY not in told
    assert "lowercase-openai-key" not in told


def test_a_stream_holds_back_only_what_could_become_a_secret() -> None:
    stream = REDACTOR.stream()
    assert stream.feed("An answer in words, ") == "An answer in words, "
    assert stream.feed("for a task") == "for a task"
    assert stream.feed("-list, and sk") == "-list, and "
    assert stream.feed("in") == "skin"
    assert stream.feed(" sk-" + ALNUM[:10]) == " "
    assert stream.feed(ALNUM[10:30]) == ""
    assert stream.feed(" done") == "[redacted: OpenAI key] done"
    assert stream.close() == ""


@pytest.mark.parametrize("start", ["sk-", "-----BEGIN PRIVATE KEY-----\n", "bearer 1", "://u:"])
def test_what_a_stream_holds_back_is_bounded(start: str) -> None:
    stream = REDACTOR.stream()
    text = start + "a" * 50_000
    told = [stream.feed(piece) for piece in (text[i : i + 500] for i in range(0, len(text), 500))]
    assert any(told), f"more than {MAX_HELD_CHARS} characters were held back"


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30) | st.integers(), max_size=4))
def test_a_json_text_is_redacted_as_its_data_is(data):
    secret = "correct horse battery"
    redactor = Redactor({secret: "key"})
    data |= {"said": f"It is {secret}."}
    for _ in range(2):
        clean = redactor.redact_json(json.dumps(data))
        assert json.loads(clean) == redactor.redact(data)
        assert secret not in clean
