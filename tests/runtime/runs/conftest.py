"""What the tests of runs share: an agent with one tool of each effect, and a counting server."""

import pytest


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
