"""What is stored can be read with the key only, and keys can be changed."""

import base64
import re
import subprocess
import sys

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from tests.memory.saver.graphs import chat_graph, said, thread
from treadle.core.errors import ConfigError
from treadle.memory.saver import AesGcmCipher, RecordError, RedisSaver

OLD, NEW = bytes(range(32)), bytes(range(1, 17))


def dump(client: redis.Redis) -> bytes:
    return b"".join(client.dump(key) or b"" for key in client.scan_iter())


def test_nothing_of_a_conversation_is_readable(client: redis.Redis) -> None:
    cipher = AesGcmCipher({"k": OLD})
    graph = chat_graph(RedisSaver(client, cipher=cipher))
    config = {**thread(), "metadata": {"note": "canary-in-metadata"}}
    live = graph.invoke(said("canary-in-a-message"), config)
    assert not re.search(rb"canary|answer", dump(client))
    fresh = chat_graph(RedisSaver(client, cipher=AesGcmCipher({"k": OLD})))
    assert fresh.get_state(thread()).values == live


def test_messages_are_stored_once_all_the_same(client: redis.Redis) -> None:
    graph = chat_graph(RedisSaver(client, cipher=AesGcmCipher({"k": OLD})))
    for number in range(5):
        graph.invoke(said(f"{number}"), thread())
    assert client.llen("treadle:main:{t}:log") == 1 + 10


def test_a_new_key_reads_what_the_old_one_wrote(client: redis.Redis) -> None:
    chat_graph(RedisSaver(client, cipher=AesGcmCipher({"a": OLD}))).invoke(said("old"), thread())
    both = RedisSaver(client, cipher=AesGcmCipher({"b": NEW, "a": OLD}))
    live = chat_graph(both).invoke(said("new"), thread())
    assert chat_graph(both).get_state(thread()).values == live
    with pytest.raises(RecordError, match=r"key 'a'.*not configured.*TREADLE_ENCRYPTION_KEYS"):
        RedisSaver(client, cipher=AesGcmCipher({"b": NEW})).get_tuple(thread())
    with pytest.raises(RecordError, match=r"does not decrypt with the key 'b'"):
        RedisSaver(client, cipher=AesGcmCipher({"b": OLD, "a": OLD})).get_tuple(thread())


def test_switching_encryption_on(client: redis.Redis) -> None:
    plain = chat_graph(RedisSaver(client)).invoke(said("plain"), thread())
    strict = RedisSaver(client, cipher=AesGcmCipher({"k": OLD}))
    with pytest.raises(RecordError, match=r"not encrypted.*reads_plaintext"):
        strict.get_tuple(thread())
    cipher = AesGcmCipher({"k": OLD}, reads_plaintext=True)
    graph = chat_graph(RedisSaver(client, cipher=cipher))
    assert graph.get_state(thread()).values == plain
    live = graph.invoke(said("sealed"), thread())
    assert graph.get_state(thread()).values == live
    assert b"sealed" not in dump(client)
    with pytest.raises(RecordError, match="Read it with the cipher"):
        RedisSaver(client).get_tuple(thread())


@given(
    plaintext=st.binary(), context=st.binary(), place=st.integers(0, 10_000), bit=st.integers(0, 7)
)
def test_every_changed_bit_is_noticed(
    plaintext: bytes, context: bytes, place: int, bit: int
) -> None:
    cipher = AesGcmCipher({"k": OLD})
    name, sealed = cipher.encrypt(plaintext, context)
    assert cipher.decrypt(name, sealed, context) == plaintext
    changed = bytearray(sealed)
    changed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(RecordError, match="it was changed"):
        cipher.decrypt(name, bytes(changed), context)
    with pytest.raises(RecordError):
        cipher.decrypt(name, sealed, context + b"x")


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = {name: base64.b64encode(key).decode() for name, key in (("b", NEW), ("a", OLD))}
    monkeypatch.setenv(
        "TREADLE_ENCRYPTION_KEYS", ", ".join(f"{name}:{key}" for name, key in encoded.items())
    )
    cipher = AesGcmCipher.from_env()
    name, sealed = cipher.encrypt(b"x", b"")
    assert name == "b"
    assert AesGcmCipher({"b": NEW}).decrypt(name, sealed, b"") == b"x"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "is not set"),
        ("notakey", "number 1 in TREADLE_ENCRYPTION_KEYS is not name:base64"),
        ("a:!!!", "number 1"),
        ("a:QUJD", "has 3 bytes, not 16, 24 or 32"),
        ("a b:" + base64.b64encode(OLD).decode(), "not made of letters"),
    ],
)
def test_keys_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("TREADLE_ENCRYPTION_KEYS", value)
    with pytest.raises(ConfigError, match=message) as caught:
        AesGcmCipher.from_env()
    assert base64.b64encode(OLD).decode() not in str(caught.value)


WITHOUT = """
import sys
sys.modules["cryptography"] = None
from treadle.memory.saver import AesGcmCipher
try:
    AesGcmCipher({"k": bytes(32)})
except Exception as error:
    print(type(error).__name__, error)
"""


def test_the_package_is_needed_for_encryption_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True
    )
    assert "ConfigError Encryption needs the package cryptography. Install it" in done.stdout
