"""The limits of a project hold over all its runs, for each tenant by itself."""

import pytest

from tests.support.models import settings_for
from treadle.agents import Agent
from treadle.core.limits import Limits
from treadle.core.settings import BudgetSettings
from treadle.runtime import Runtime
from treadle.runtime.testing import ScriptedOpenAI, call, say

ASSISTANT = Agent(name="assistant", tools=("calculate",))


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", "test-key")


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (BudgetSettings(per_day=Limits(model_calls=2)), "day"),
        (BudgetSettings(total=Limits(model_calls=2)), "the project's budget"),
    ],
)
async def test_a_limit_holds_over_runs_and_is_each_tenants_own(redis_url, tmp_path, limits, named):
    with ScriptedOpenAI(lambda _: say("Hello.")) as server:
        settings = settings_for(server).model_copy(update={"budget": limits})
        async with Runtime.open(redis_url, tmp_path, settings=settings) as runtime:
            for _ in range(2):
                assert (await runtime.ask(ASSISTANT, "Hello?")).text == "Hello."
            assert named in (await runtime.ask(ASSISTANT, "Hello?")).stopped
            assert len(server.requests) == 2
            other = runtime.of_tenant("acme")
            assert (await other.ask(ASSISTANT, "Hello?")).text == "Hello."
        async with Runtime.open(redis_url, tmp_path, settings=settings) as again:
            assert named in (await again.ask(ASSISTANT, "Hello?")).stopped
    assert len(server.requests) == 3


async def test_near_the_end_of_a_day_the_model_is_told_and_answers_from_what_it_has(
    redis_url, tmp_path
):
    limits = BudgetSettings(per_day=Limits(model_calls=10))
    heard = []

    def answer(request):
        is_last = request.body.get("tool_choice") == "none"
        heard.append((str(request.messages), is_last))
        if not is_last:
            return call("calculate", expression=f"{len(heard)}*7")
        return say("It is 42.")

    with ScriptedOpenAI(answer) as server:
        settings = settings_for(server).model_copy(update={"budget": limits})
        async with Runtime.open(redis_url, tmp_path, settings=settings) as runtime:
            reply = await runtime.ask(ASSISTANT, "What is six times seven?")
            assert (await runtime.runs.replay(reply.run_id)).difference is None
    assert len(server.requests) == 10
    assert (reply.text, bool(reply.stopped)) == ("It is 42.", True)
    assert [is_last for _, is_last in heard] == [False] * 9 + [True]
    told = ["80% of" in asked for asked, _ in heard]
    assert told[:9] == [False] * 8 + [True]
