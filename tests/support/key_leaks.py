"""Finding keys that would stay in Redis for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import redis

from tests.support.redis_servers import RedisServer

NEVER_EXPIRES = -1


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
        keys = [key.decode(errors="backslashreplace") for key in self._immortal()]
        return sorted(
            key for key in keys if not any(fnmatchcase(key, glob) for glob in self.allowed)
        )

    def check(self) -> None:
        """Fail when there is such a key."""
        leaked = self.found()
        assert not leaked, f"{len(leaked)} keys have no TTL: {', '.join(leaked[:20])}"

    def _immortal(self) -> Iterator[bytes]:
        for key in self.client.scan_iter(count=1_000):
            if self.client.pttl(key) == NEVER_EXPIRES:
                yield key


@contextmanager
def no_key_leaks(server: RedisServer) -> Iterator[KeyLeaks]:
    """Fail at the end of the context when the server holds a key without a TTL."""
    client = server.client()
    try:
        leaks = KeyLeaks(client)
        yield leaks
        leaks.check()
    finally:
        client.close()


def uneven_threads(client: redis.Redis) -> list[bytes]:
    """Return what the keys of a thread begin with, where some expire and others never do."""
    never: dict[bytes, set[bool]] = {}
    for key in client.scan_iter(match="*{*}*", count=1_000):
        root = key.partition(b"}")[0] + b"}"
        never.setdefault(root, set()).add(client.pttl(key) == NEVER_EXPIRES)
    return sorted(root for root, kinds in never.items() if len(kinds) > 1)
