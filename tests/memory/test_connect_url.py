"""What a URL means, and that a wrong one is refused without giving its password away."""

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treadle.core.errors import ConfigError
from treadle.memory import connect_sync
from treadle.memory._redis_url import Cluster, Embedded, SentinelService, Server, parse, redacted

A_FILE = quote(__file__)
"""A file that is there; what stands in it does not matter to the URL."""


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TREADLE_REDIS_URL", raising=False)
    monkeypatch.delenv("TREADLE_HOME", raising=False)


@pytest.mark.parametrize(
    ("url", "shown", "tls", "options"),
    [
        ("redis://", "redis://localhost:6379", False, {"host": "localhost", "port": 6379}),
        ("redis://db/3", "redis://db:6379/3", False, {"host": "db", "port": 6379, "db": 3}),
        ("REDIS://db", "redis://db:6379", False, {"host": "db", "port": 6379}),
        ("redis://[::1]:7000/", "redis://[::1]:7000/", False, {"host": "::1", "port": 7000}),
        (
            "redis://me:p%40ss@db:6380",
            "redis://db:6380",
            False,
            {"host": "db", "port": 6380, "username": "me", "password": "p@ss"},
        ),
        (
            f"rediss://:secret@db?ssl_ca_certs={A_FILE}&socket_timeout=3",
            "rediss://db:6379",
            True,
            {
                "host": "db",
                "port": 6379,
                "password": "secret",
                "ssl_ca_certs": A_FILE,
                "socket_timeout": 3.0,
            },
        ),
        (
            "unix:///run/my%20redis?db=2",
            "unix:///run/my redis",
            False,
            {"path": "/run/my redis", "db": 2},
        ),
        ("unix://:pw@/run/s", "unix:///run/s", False, {"path": "/run/s", "password": "pw"}),
    ],
)
def test_a_server(url: str, shown: str, tls: bool, options: dict[str, Any]) -> None:
    assert parse(url) == Server(shown, tls, options)


def test_a_sentinel_service() -> None:
    address = parse("redis+sentinel://me:secret@a,b:1234/main/2?sentinel_password=other")
    assert address == SentinelService(
        shown="redis+sentinel://a:26379,b:1234/main/2",
        hosts=(("a", 26379), ("b", 1234)),
        service="main",
        tls=False,
        options={"username": "me", "password": "secret", "db": 2},
        sentinel_options={"password": "other"},
    )


def test_a_cluster() -> None:
    address = parse("rediss+cluster://:secret@a,[::1]:7001")
    assert address == Cluster(
        shown="rediss+cluster://a:6379,[::1]:7001",
        hosts=(("a", 6379), ("::1", 7001)),
        tls=True,
        options={"password": "secret"},
    )


def test_an_embedded_folder() -> None:
    assert parse("embedded:///srv/my%20data") == Embedded(
        "embedded:///srv/my data", Path("/srv/my data")
    )


def test_none_is_the_environment_and_else_the_embedded_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    assert parse(None) == Embedded("embedded://", tmp_path / "redis")
    monkeypatch.setenv("TREADLE_REDIS_URL", "redis://db/1")
    assert parse(None) == parse("redis://db/1")
    monkeypatch.setenv("TREADLE_REDIS_URL", "")
    assert isinstance(parse(None), Embedded)


def test_without_treadle_home_the_data_is_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    address = parse("embedded://")
    assert isinstance(address, Embedded)
    assert tmp_path in address.folder.parents
    assert address.folder.parts[-2:] == ("treadle", "redis")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://localhost", "its scheme 'http' is not known"),
        ("localhost:6379", "it has no scheme"),
        ("", "it has no scheme"),
        ("redis://host:port", "its host or port is malformed"),
        ("redis://host:99999", "its host or port is malformed"),
        ("redis://[::1", "its host is malformed"),
        ("redis://host/name", "not the number of a database"),
        ("redis://a,b", "several hosts need redis+sentinel:// or redis+cluster://"),
        (f"redis://{'x' * 64}.com", "its host or port is malformed"),
        ("redis://host?max_connections=0", "its max_connections is not above 0: 0"),
        ("redis://host?socket_timeout=-1", "its socket_timeout is not above 0: -1.0"),
        ("redis://host?socket_timeout=nan", "its socket_timeout is not above 0: nan"),
        ("redis://host?socket_timeout=soon", "Invalid value for 'socket_timeout'"),
        ("redis://host?db=x", "Invalid value for 'db'"),
        ("redis://host?decode_responses=1", "its option 'decode_responses' is not one of"),
        ("redis://host?ssl_ca_certs=/x", "its option 'ssl_ca_certs' is not one of"),
        ("redis://host#x", "it holds a '#'"),
        ("unix://run/redis.sock", "unix:///path/to/socket"),
        ("unix:///a%00b", "it holds a NUL character"),
        ("redis+sentinel://host", "after its hosts comes /service"),
        ("redis+sentinel://host/service/x", "after its hosts comes /service"),
        ("redis+cluster://host/1", "a cluster has only database 0"),
        ("embedded://folder", "by its absolute path, with three slashes"),
        ("embedded:///folder?db=1", "by its absolute path, with three slashes"),
    ],
)
def test_a_wrong_url_is_refused_with_the_reason_and_the_forms(url: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught, connect_sync(url or " "):
        pass
    assert problem in caught.value.message
    for form in ("redis://", "rediss://", "unix://", "+sentinel://", "+cluster://", "embedded://"):
        assert form in caught.value.hint


def test_a_wrong_url_from_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_REDIS_URL", "http://localhost")
    with pytest.raises(ConfigError, match=r"\(from TREADLE_REDIS_URL\)"):
        parse(None)


SECRETS = ("s3cret", "hidden")
SCHEMES = ["redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "embedded", "http", ""]


@given(
    scheme=st.sampled_from(SCHEMES),
    user=st.sampled_from(["", "me"]),
    special=st.text(st.sampled_from("@:/?#[]%& =,.\n\\é"), max_size=4),
    rest=st.sampled_from(["@host:6379/0", "@host", "@/run/s", "@a,b/service/x", ""]),
)
def test_no_password_is_shown_however_malformed_the_url_is(
    scheme: str, user: str, special: str, rest: str
) -> None:
    assume(rest or "@" not in special)  # what follows an '@' may well be the host
    url = f"{scheme}://{user}:{special.join(SECRETS)}{rest}"
    try:
        shown = repr(parse(url))
    except ConfigError as error:
        shown = f"{error} {error!r}"
    assert not any(secret in shown.lower() for secret in SECRETS), shown


@given(st.text())
def test_any_text_is_either_an_address_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        parse(text)
    redacted(text)
