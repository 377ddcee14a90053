"""What docs/redis.md says is so."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.redis_servers import packaged_binary, running_server
from treadle.memory import _redis_url, connect_sync

pytestmark = pytest.mark.any_keys("these tests use a Redis as anybody may")

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()


def test_every_option_is_described_and_no_other() -> None:
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    described = {
        name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    known = _redis_url.COMMON_OPTIONS | _redis_url.TLS_OPTIONS | _redis_url.SENTINEL_OPTIONS
    assert described == known | {"db"}


def test_moving_to_a_redis_of_ones_own(
    short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_REDIS_SERVER", str(packaged_binary()))
    (snippet,) = (
        dedent(block)
        for block in re.findall(r"```python[^\n]*\n(.*?)```", PAGE, re.DOTALL)
        if "restore" in block
    )
    old = f"embedded://{short_tmp_path}/old"
    with connect_sync(old) as client:
        client.set("for ever", 1)
        client.set("for a while", 2, ex=100)
    with running_server(packaged_binary(), short_tmp_path / "new") as server:
        snippet = re.sub(r'"rediss://[^"]*"', repr(server.url), snippet)
        exec(snippet.replace('"embedded://"', repr(old)), {})
        with server.client() as client:
            assert client.mget("for ever", "for a while") == [b"1", b"2"]
            assert client.ttl("for ever") == -1
            assert 0 < client.ttl("for a while") <= 100


def test_the_rights_a_hosted_redis_should_give(redis_url: str) -> None:
    (command,) = re.findall(r"`(ACL SETUSER [^`]*)`", PAGE)
    with connect_sync(redis_url) as admin:
        admin.execute_command(command)
        try:
            with connect_sync(redis_url.replace("://", "://treadle:password@")) as client:
                client.set("a", 1)
                assert client.eval("return redis.call('GET', KEYS[1])", 1, "a") == b"1"
                assert client.info("server")["redis_version"]
        finally:
            admin.acl_deluser("treadle")
