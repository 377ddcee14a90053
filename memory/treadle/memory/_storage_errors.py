"""What can go wrong between what is kept and Redis, said so that someone can act on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis.exceptions as redis_errors

from treadle.core.errors import RedisError, TreadleError, UserError


class RecordError(UserError):
    """A stored record cannot be read: damaged, evicted, forged, or of a type not allowed.

    Nothing of the record was executed. Other records stay readable.
    """


@contextmanager
def redis_errors_explained() -> Iterator[None]:
    """Turn what redis-py raises into a `RedisError` that says what to do.

    Raises:
        RedisError: Redis could not be reached or refused the command.
        RecordError: what is stored is damaged, so that nothing can be added.
    """
    try:
        yield
    except redis_errors.RedisError as problem:
        raise explained(problem) from problem


def explained(problem: redis_errors.RedisError) -> TreadleError:
    """Return ``problem`` as an error with a hint."""
    text = str(problem)
    if "DAMAGED" in text:
        return RecordError(f"Nothing was written: {text}.", hint="Delete the thread.")
    for kind, marks, message, hint in _EXPLANATIONS:
        if isinstance(problem, kind) and any(mark in text for mark in marks):
            return RedisError(f"{message} ({text})", hint=hint)
    return RedisError(f"Redis refused a command: {text}")


_ANY = ("",)
_CREDENTIALS = "Set the right user name and password in the Redis URL."
_PERMISSIONS = (
    "Allow it with ACL SETUSER: +@hash +@list +@sortedset +@scripting +@connection +unlink "
    "+@string +del +exists +pexpire +pexpireat +persist +pttl +rename +time, on the keys of "
    "the prefix; +scan too, for what searches all threads."
)
_EXPLANATIONS: tuple[
    tuple[type[redis_errors.RedisError], tuple[str, ...], str, str],
    ...,
] = (
    (
        redis_errors.NoPermissionError,
        _ANY,
        "This Redis user may not run a command that Treadle needs.",
        _PERMISSIONS,
    ),
    (redis_errors.AuthenticationError, _ANY, "Redis did not accept the password.", _CREDENTIALS),
    (
        redis_errors.ResponseError,
        ("WRONGPASS", "NOAUTH", "invalid password", "invalid username-password"),
        "Redis did not accept the password.",
        _CREDENTIALS,
    ),
    (
        redis_errors.OutOfMemoryError,
        _ANY,
        "Redis is out of memory, so nothing was written.",
        "Raise maxmemory, remove what is old, or set a ttl.",
    ),
    (
        redis_errors.ResponseError,
        ("OOM ",),
        "Redis is out of memory, so nothing was written.",
        "Raise maxmemory, remove what is old, or set a ttl.",
    ),
    (
        redis_errors.ReadOnlyError,
        _ANY,
        "This Redis is a read-only replica, so nothing was written.",
        "Connect to the primary, or through Sentinel, which knows where it is.",
    ),
    (
        redis_errors.ResponseError,
        ("READONLY",),
        "This Redis is a read-only replica, so nothing was written.",
        "Connect to the primary, or through Sentinel, which knows where it is.",
    ),
    (
        redis_errors.ResponseError,
        ("MISCONF",),
        "Redis cannot save to its disk and refuses writes.",
        "Free disk space on the Redis machine, or look into its log.",
    ),
    (
        redis_errors.ResponseError,
        ("WRONGTYPE",),
        "A key holds another kind of value than Treadle writes.",
        "Something else writes under this prefix: give each its own prefix.",
    ),
    (
        redis_errors.BusyLoadingError,
        _ANY,
        "Redis is still loading its data.",
        "Try again when it has finished.",
    ),
    (
        redis_errors.TimeoutError,
        _ANY,
        "Redis did not answer in time.",
        "See whether it is overloaded, or raise socket_timeout.",
    ),
    (
        redis_errors.ConnectionError,
        _ANY,
        "Redis cannot be reached.",
        "Start it, or correct the Redis URL.",
    ),
)
