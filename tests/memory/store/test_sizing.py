"""What docs/store.md tells an operator about the room that items take holds."""

import random

import pytest
import redis
from langgraph.store.base import PutOp

from treadle.memory.store import RedisStore

ITEMS = 1_000
BYTES_PER_ITEM, BYTES_PER_VECTOR, BYTES_PER_DIMENSION = 270, 120, 4


@pytest.mark.parametrize("text_bytes", [20, 500])
@pytest.mark.parametrize("dimensions", [0, 64, 384])
def test_the_estimate_for_items(client: redis.Redis, dimensions: int, text_bytes: int) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[random.random() for _ in range(dimensions)] for _ in texts]

    index = {"dims": dimensions, "embed": embed}
    store = RedisStore(client, index=index) if dimensions else RedisStore(client)  # type: ignore[arg-type]
    texts = [random.randbytes(text_bytes // 2).hex() for _ in range(ITEMS)]
    store.batch([PutOp(("users", "ada"), f"{n}", {"text": text}) for n, text in enumerate(texts)])
    taken = sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter())
    vector = BYTES_PER_VECTOR + BYTES_PER_DIMENSION * dimensions if dimensions else 0
    assert taken / ITEMS == pytest.approx(BYTES_PER_ITEM + text_bytes + vector, rel=0.15)
