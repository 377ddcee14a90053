"""What all tests of memory share: the keys they leave in Redis are looked over."""

import pytest


@pytest.fixture(autouse=True)
def _looked_over(keys_looked_over: None) -> None:
    return None
