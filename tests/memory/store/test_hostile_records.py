"""Records put into Redis by hand: nothing is executed, the error names the item, others load."""

import json
import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.memory.store.conftest import by_letters
from treadle.memory.store import AesGcmCipher, RecordError, RedisStore

NAME = ("users", "alice")
ITEM = "treadle:main:{store/users/alice}:item:/bad"
VECTOR = "treadle:main:{store/users/alice}:vec:/bad"
HEADER = b"1700000000000000 1700000000000000 0 "


class Runs:
    """Unpickled, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return subprocess.call, (["sh", "-c", self.command],)


def forgeries(mark: Path) -> Iterator[tuple[str, bytes]]:
    command = f"touch {mark}"
    yield "pickle", HEADER + b"pickle\n" + pickle.dumps(Runs(command))
    for code in range(8):
        call = ormsgpack.packb(("os", "system", [command]))
        yield (
            f"extension {code}",
            HEADER + b"msgpack\n" + ormsgpack.packb({"v": ormsgpack.Ext(code, call)}),
        )
    constructor = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [command]}
    yield "json", HEADER + b"json\n" + json.dumps(constructor).encode()
    yield "a list", HEADER + b"msgpack\n" + ormsgpack.packb([1])
    yield "numbers as keys", HEADER + b"msgpack\n" + b"\x81\x01\x02"
    yield "encrypted", HEADER + b"msgpack+key\n" + b"x" * 40
    yield "no value", HEADER
    yield "no header", b"msgpack\n" + ormsgpack.packb({})
    yield "a year beyond all", b"9" * 17 + b" 1 0 msgpack\n" + ormsgpack.packb({})
    yield "deep", HEADER + b"msgpack\n" + b"\x91" * 100_000
    yield "empty", b""


FORGERIES = [name for name, _ in forgeries(Path("x"))]


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_record(
    client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    store = RedisStore(client)
    store.put(NAME, "good", {"n": 1})
    store.put(NAME, "bad", {"n": 2})
    mark = tmp_path / "mark"
    client.set(ITEM, dict(forgeries(mark))[name])
    with pytest.raises(RecordError, match=r"'bad' in 'users\.alice' cannot be read"):
        store.get(NAME, "bad")
    assert [item.key for item in store.search(NAME)] == ["good"]
    assert "'bad' in 'users.alice'" in caplog.text
    assert [item.key for item in store.search((), filter={"n": 1})] == ["good"]
    assert store.get(NAME, "good") is not None
    store.put(NAME, "bad", {"n": 3})
    assert len(store.search(NAME)) == 2
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["hash", "list"])
def test_a_key_of_another_kind(client: redis.Redis, kind: str) -> None:
    store = RedisStore(client, index=by_letters())
    store.put(NAME, "good", {"n": 1})
    store.put(NAME, "bad", {"n": 2})
    for key in (ITEM, VECTOR):
        client.delete(key)
        if kind == "hash":
            client.hset(key, "a", "b")
        else:
            client.rpush(key, "a")
    with pytest.raises(RecordError, match="'bad'"):
        store.get(NAME, "bad")
    assert [item.key for item in store.search(NAME)] == ["good"]
    store.put(NAME, "bad", {"n": 3})
    assert len(store.search(NAME, query="n")) == 2
    client.delete(ITEM)
    client.hset(ITEM, "a", "b")
    store.delete(NAME, "bad")
    assert [item.key for item in store.search(NAME)] == ["good"]


def test_forged_vectors(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisStore(client, index=by_letters("text"))
    store.put(NAME, "good", {"text": "a"})
    store.put(NAME, "bad", {"text": "a"})
    for forged in (b"f4\n123", b"pickle\n" + pickle.dumps(Runs("true")), b"x"):
        client.set(VECTOR, forged)
        found = store.search(NAME, query="a")
        assert [(item.key, item.score) for item in found] == [("good", 1.0), ("bad", None)]
    assert "vectors are damaged" in caplog.text


def test_an_evicted_record_is_not_there(client: redis.Redis) -> None:
    store = RedisStore(client, index=by_letters("text"))
    store.put(NAME, "good", {"text": "a"})
    store.put(NAME, "bad", {"text": "a"})
    client.delete(ITEM)
    assert store.get(NAME, "bad") is None
    assert [item.key for item in store.search(NAME)] == ["good"]
    assert [item.key for item in store.search(NAME, query="a")] == ["good"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60), st.sampled_from([b"", HEADER, HEADER + b"msgpack\n"]))
def test_noise_is_a_named_error_or_plain_data(
    client: redis.Redis, noise: bytes, start: bytes
) -> None:
    store = RedisStore(client)
    store.put(NAME, "bad", {})
    client.set(ITEM, start + noise)
    found = store.search(NAME)
    if found:
        assert json.loads(json.dumps(found[0].value, default=repr)) is not None
        assert store.get(NAME, "bad") is not None
    else:
        with pytest.raises(RecordError, match="'bad'"):
            store.get(NAME, "bad")


def test_what_is_encrypted(client: redis.Redis) -> None:
    cipher = AesGcmCipher({"k": b"k" * 32})
    store = RedisStore(client, index=by_letters("text"), cipher=cipher)
    store.put(NAME, "bad", {"text": "secret canary"})
    store.put(NAME, "good", {"text": "secret canary"})
    for key in client.scan_iter():
        assert b"canary" not in (client.dump(key) or b"")
    assert len(store.search(NAME, query="canary", filter={"text": "secret canary"})) == 2
    with pytest.raises(RecordError, match="encrypted with the key 'k'"):
        RedisStore(client).get(NAME, "bad")
    client.set(ITEM, HEADER + b"msgpack\n" + ormsgpack.packb({"text": "forged"}))
    with pytest.raises(RecordError, match="not encrypted"):
        store.get(NAME, "bad")
