"""Tests of the agent that need no key and no network: `pytest` runs them in seconds."""

from pathlib import Path

import pytest

from treadle.runtime import SyncRuntime
from treadle.runtime.testing import ScriptedOpenAI, call, say

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the tests store apart from your own threads, and use the embedded model."""
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    monkeypatch.setenv("TREADLE_MODEL", "embedded")


def test_answers_from_the_documents_and_says_where(embedded: None) -> None:
    with SyncRuntime.open(project=PROJECT) as rt:
        rt.call(lambda: rt.runtime.documents.index([PROJECT / "docs"]))
        reply = rt.ask("guide", "How much does the beginners' course cost?")
    assert "180 euros" in reply.text
    assert [citation.source.uri for citation in reply.citations] == ["docs/workshop.md"]


def test_remembers_what_was_said(embedded: None) -> None:
    with SyncRuntime.open(project=PROJECT) as rt:
        first = rt.ask("guide", "My name is Ada and I weave linen.")
        reply = rt.ask("guide", "What did I say that I weave?", thread=first.thread_id)
    assert "linen" in reply.text


def test_a_real_model_would_get_the_tool_result(
    embedded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [call("warp_ends", width_cm=120, ends_per_cm=8), say("You need 960 warp ends.")]
    with ScriptedOpenAI(script) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", server.api_key)
        monkeypatch.setenv("TREADLE_MODEL", "openai:gpt-5-mini")
        with SyncRuntime.open(project=PROJECT) as rt:
            reply = rt.ask("guide", "How many ends for 120 cm of cloth at 8 per cm?")
    assert reply.text == "You need 960 warp ends."
    assert reply.usage.tool_calls == 1
    assert "960 warp ends" in str(server.requests[-1].messages)
