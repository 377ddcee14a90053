"""The helper that looks over keys finds each kind of leak."""

import pytest

from tests.support.key_leaks import misplaced_keys
from tests.support.redis_servers import RedisServer

pytestmark = pytest.mark.any_keys("leaks are what these tests are about")
FOR_EVER, FOR_AN_HOUR = None, 3_600


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"treadle:main:{t}:cp": FOR_EVER, "treadle:main:{t}:said": FOR_EVER}, []),
        ({"treadle:main:{t}:cp": FOR_AN_HOUR, "treadle:main:{t}:recall:docs": FOR_AN_HOUR}, []),
        ({"treadle:acme:{users/ada}:item:/prefs/x": FOR_EVER}, []),
        ({"elsewhere": FOR_AN_HOUR}, ["elsewhere belongs to no tenant"]),
        ({"treadle:{t}:cp": FOR_EVER}, ["treadle:{t}:cp belongs to no tenant"]),
        ({"treadle:main:{t}:fence": FOR_EVER}, ["treadle:main:{t}:fence has no TTL"]),
        ({"treadle:main:plain": FOR_EVER}, ["treadle:main:plain has no TTL"]),
        (
            {"treadle:main:{t}:cp": FOR_AN_HOUR, "treadle:main:{t}:writes": FOR_EVER},
            ["some keys of treadle:main:{t} have a TTL, others none"],
        ),
    ],
)
def test_what_is_wrong_with_keys(
    empty_redis_6_2: RedisServer, keys: dict[str, int | None], wrong: list[str]
) -> None:
    with empty_redis_6_2.client() as client:
        for key, seconds in keys.items():
            client.set(key, "x", ex=seconds)
        assert misplaced_keys(client) == wrong
        client.flushall()
        assert misplaced_keys(client) == []
