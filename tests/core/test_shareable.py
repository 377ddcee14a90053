"""What is told outside of why a run failed: no address, and everything else."""

import pytest

from treadle.core.shareable import WITHHELD, shareable

SHARED = [
    ("the provider at http://10.0.0.3:8000/v1 cannot be reached.", "the provider at {} cannot be"),
    ("asked at 'https://models.internal/v1?key=x', again", "asked at '{}', again"),
    ("redis://:secret@redis.internal:6379/0 is away", "{} is away"),
    ("no route to 192.168.1.20:9000 (twice)", "no route to {} (twice)"),
]


@pytest.mark.parametrize(("said", "told"), SHARED)
def test_addresses_are_withheld(said, told):
    assert told.format(WITHHELD) in shareable(said)
    assert "internal" not in shareable(said)


@pytest.mark.parametrize("said", ["", "Bad temperature: 2.5.", "Version 1.2.3 of a/b: c.", "a://"])
def test_what_holds_none_stays_as_it_is(said):
    assert shareable(said) == said
