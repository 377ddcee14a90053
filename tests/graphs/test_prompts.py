"""Prompts: a project's own file stands in for the shipped one."""

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.errors import ConfigError
from treadle.graphs import Prompts
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, say


def put(project, name, text):
    (project / "prompts").mkdir(exist_ok=True)
    (project / "prompts" / name).write_bytes(text)


async def test_an_agent_is_asked_with_the_projects_own_prompt(redis_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")
    put(tmp_path, "think.md", b"Think as a weaver thinks.\n")
    agent = Agent(name="thinker", graph="chain_of_thought")
    with ScriptedOpenAI([say("Warp."), say("Weft.")]) as server:
        async with Runtime.open(redis_url, tmp_path, settings=settings_for(server)) as rt:
            await rt.ask(agent, "What goes across?")
    first, second = server.requests
    assert first.system_text == "Think as a weaver thinks."
    assert second.system_text.startswith(Prompts()("answer"))


def test_a_file_of_another_name_and_later_changes_do_not_matter(tmp_path):
    put(tmp_path, "think.md", b"One.")
    put(tmp_path, "notes.md", b"")
    prompts = Prompts(tmp_path)
    put(tmp_path, "think.md", b"Two.")
    assert prompts("think") == "One."
    assert prompts("answer") == Prompts()("answer")


@pytest.mark.parametrize(
    ("text", "message"),
    [(b" \n", "empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 20_001, "20,001 characters")],
)
def test_a_prompt_that_cannot_be_used_is_named(text, message, tmp_path):
    put(tmp_path, "react.md", text)
    with pytest.raises(ConfigError, match=message) as caught:
        Prompts(tmp_path)
    assert caught.value.path == tmp_path / "prompts" / "react.md"


def test_a_folder_in_place_of_a_prompt_is_named(tmp_path):
    (tmp_path / "prompts" / "react.md").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"react\.md: the prompt cannot be read"):
        Prompts(tmp_path)
