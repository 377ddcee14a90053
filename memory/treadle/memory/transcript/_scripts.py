"""The Lua scripts of a transcript, each as a function whose signature is its contract."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Literal

from treadle.memory._keys import thread_root
from treadle.memory._lua import ScriptCall, load_script

_PACKAGE = "treadle.memory.transcript"
_ADD = load_script(_PACKAGE, "add")
_PAGE = load_script(_PACKAGE, "page")
_READ = load_script(_PACKAGE, "read")
_STRIKE = load_script(_PACKAGE, "strike")
_UNSAY = load_script(_PACKAGE, "unsay")
_FORGET = load_script(_PACKAGE, "forget")

STAMP_CHARS = 14
"""The length of a stamp: milliseconds since 1970 in 13 digits, and a line feed."""

Keys = tuple[str, str]


def transcript_keys(prefix: str, thread_id: str) -> Keys:
    """Return the keys of a thread's transcript: what was said, and where each message stands."""
    root = thread_root(prefix, thread_id)
    return f"{root}:said", f"{root}:said:places"


def add(
    keys: Keys, ttl_ms: int, entries: Iterable[tuple[str, str, bytes]], mark: str
) -> ScriptCall:
    """Append messages ``(id, stamp, body)``, or replace the bodies of those known.

    Replies ``[mark, stamp, ...]``: for each message the stamp of its first time. Where ``mark`` is
    given and not the transcript's, nothing is done, and the reply is ``[]``. What was struck out
    stays so.
    """
    flat = [part for id_, stamp, body in entries for part in (_digest(id_), stamp, body)]
    fresh = f"{secrets.randbits(64):016x}"
    return ScriptCall(_ADD, keys, (ttl_ms, STAMP_CHARS, mark, fresh, *flat))


def page(
    keys: Keys,
    order: Literal["after", "before"],
    place: int | None,
    *,
    limit: int,
    max_bytes: int,
) -> ScriptCall:
    """Read the messages next to a place; from the beginning, or up to the end, without one.

    Replies ``[number of messages, number of places, place, entry, place, entry, ...]``, oldest
    first.
    """
    from_ = "" if place is None else place
    return ScriptCall(_PAGE, keys, (order, from_, limit, max_bytes, STAMP_CHARS))


def read(keys: Keys, message_id: str) -> ScriptCall:
    """Read one message. Replies ``[place, entry]`` or ``[]``."""
    return ScriptCall(_READ, keys, (_digest(message_id),))


def strike(keys: Keys, message_ids: Iterable[str]) -> ScriptCall:
    """Strike messages out; their places stay, and are empty. Replies how many there were."""
    return ScriptCall(_STRIKE, keys, (STAMP_CHARS, *(_digest(id_) for id_ in message_ids)))


def unsay(keys: Keys, message_ids: Iterable[str]) -> ScriptCall:
    """Take back the latest messages, as far as they are among the given. Replies how many."""
    return ScriptCall(_UNSAY, keys, (STAMP_CHARS, *(_digest(id_) for id_ in message_ids)))


def forget(keys: Keys) -> ScriptCall:
    """Remove the transcript. Replies the number of messages it held."""
    return ScriptCall(_FORGET, keys, ())


def _digest(message_id: str) -> bytes:
    # Twelve bytes tell 10**12 messages apart and cost a third of what a UUID as text does.
    return hashlib.blake2b(message_id.encode(), digest_size=12).digest()
