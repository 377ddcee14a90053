"""The pytest plugin, as a user's project has it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from openai import AsyncOpenAI, OpenAI

from treadle.runtime.testing import say

pytest_plugins = ["treadle.runtime.testing.plugin"]


def test_clients_find_the_server_by_the_environment(scripted_openai):
    server = scripted_openai([say("Hi.")])
    with OpenAI() as client:
        assert client.responses.create(model="m", input="Hello?").output_text == "Hi."
    assert server.requests[0].last_user_text == "Hello?"


async def test_in_async_tests_and_twice(scripted_openai):
    servers = [scripted_openai([say(name)]) for name in ("one", "two")]

    async def ask(server):
        async with AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
            return (await client.responses.create(model="m", input="x")).output_text

    assert await asyncio.gather(*map(ask, servers)) == ["one", "two"]


PROJECT_TEST = """
from treadle.runtime.testing import say

def test_nothing_is_asked(scripted_openai):
    scripted_openai([say("never said")])
"""


def test_a_reply_left_over_is_an_error_of_the_users_test(tmp_path: Path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["treadle.runtime.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(PROJECT_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert "1 of 1 replies were never asked for" in run.stdout
