"""Finding keys that would stay in Redis for ever, or that lie outside every tenant."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import redis

from tests.support.redis_servers import RedisServer

NEVER_EXPIRES = -1
TENANT = re.compile(r"treadle:[^:{}]+:")

CONVERSATION = re.compile(
    r":(idx|cp|val|log|writes)"  # a thread's checkpoints
    r"|:(said|said:places)"  # its transcript
    r"|:(recall|text)(:\w+)+"  # what its turns, or texts, are found by
)
"""What is kept of a conversation: all of it expires together, or none of it."""

LASTING = re.compile(
    r":(groups|ns|meta|info|order|vec:.*|item:.*|keys:.*|exp:.*)"  # the store: each item by itself
    r"|:threads"  # the threads of a user
    r"|:(\d+:)?(docs|ids|meta|length|postings|vectors)"  # the index of a project's documents
)
"""What else may live for ever, as far as nobody gave it a time to live."""

OF_ALL_TENANTS = re.compile(r"treadle:\{(schedules|notifications)\}:(tenants|bell|seen)")
"""Where the work of all tenants is found. It names tenants, and holds nothing of theirs."""

WORK = ("{schedules", "{queue", "{notifications")
"""Whose keys live until the work is done, the message delivered or the schedule removed."""


@dataclass
class KeyLeaks:
    """The keys without a TTL in a server's database.

    Attributes:
        client: the database.
        allowed: glob patterns of keys that may live for ever.
    """

    client: redis.Redis
    allowed: list[str] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        """Let keys that match one of these globs live for ever."""
        self.allowed += patterns

    def found(self) -> list[str]:
        """Return the keys that have no TTL and are not allowed to live for ever."""
        immortal = (key for key, never_expires in _keys(self.client) if never_expires)
        return sorted(
            key for key in immortal if not any(fnmatchcase(key, glob) for glob in self.allowed)
        )

    def check(self) -> None:
        """Fail when there is such a key."""
        leaked = self.found()
        assert not leaked, f"{len(leaked)} keys have no TTL: {', '.join(leaked[:20])}"


@contextmanager
def no_key_leaks(server: RedisServer) -> Iterator[KeyLeaks]:
    """Fail at the end of the context when the server holds a key without a TTL."""
    with server.client() as client:
        leaks = KeyLeaks(client)
        yield leaks
        leaks.check()


def misplaced_keys(client: redis.Redis) -> list[str]:
    """Return what is wrong with the keys that are left in a database, in words.

    A key belongs to a tenant. It expires, unless it is of a kind that may live for ever; and the
    keys of one conversation expire together, or none of them does.
    """
    wrong: list[str] = []
    conversations: dict[str, set[bool]] = {}
    for key, never_expires in _keys(client):
        if OF_ALL_TENANTS.fullmatch(key):
            continue
        tenant = TENANT.match(key)
        if tenant is None:
            wrong.append(f"{key} belongs to no tenant")
            continue
        owner, _, kind = key.rpartition("}")
        if owner and CONVERSATION.fullmatch(kind):
            conversations.setdefault(owner, set()).add(never_expires)
        elif never_expires and not (owner.endswith(WORK) or (owner and LASTING.fullmatch(kind))):
            wrong.append(f"{key} has no TTL")
    uneven = (owner for owner, kinds in conversations.items() if len(kinds) > 1)
    return sorted(
        [*wrong, *(f"some keys of {owner}}} have a TTL, others none" for owner in uneven)]
    )


def _keys(client: redis.Redis) -> Iterator[tuple[str, bool]]:
    """Yield each key, and whether it never expires."""
    names = list(client.scan_iter(count=1_000))
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.pttl(name)
    for name, ttl in zip(names, pipeline.execute(), strict=True):
        yield name.decode(errors="backslashreplace"), ttl == NEVER_EXPIRES
