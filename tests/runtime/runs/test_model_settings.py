"""A run's model settings: every call of every model has them, whatever becomes of the run."""

import asyncio
import json
from typing import ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.support.models import settings_for
from tests.support.waiting import wait_until
from treadle.agents import Agent, Budget
from treadle.agents.models import ModelInfo, through_boundary
from treadle.core.boundary import GateChain, boundary
from treadle.core.calls import CallKind
from treadle.core.errors import ModelError
from treadle.core.model_settings import ModelSettingError, ModelSettings
from treadle.runtime import Runtime
from treadle.runtime.runs import RunOptions, RunRequest, RunStatus
from treadle.runtime.testing import ScriptedOpenAI, call, hang, say, server_error

ASKED = ModelSettings(
    temperature=0.25,
    top_p=0.5,
    presence_penalty=-1,
    frequency_penalty=1.5,
    seed=2**53 - 1,
    stop=("END", "\n\n#"),
    reasoning_effort="low",
    verbosity="high",
    max_output_tokens=321,
)
SENT = {
    "temperature": 0.25,
    "top_p": 0.5,
    "presence_penalty": -1,
    "frequency_penalty": 1.5,
    "seed": 2**53 - 1,
    "stop": ["END", "\n\n#"],
    "reasoning_effort": "low",
    "verbosity": "high",
    "max_completion_tokens": 321,
}
CALCULATOR = Agent(name="calculator", tools=("calculate",))


def answer(request):
    if not request.tool_names:
        return say("Hello.")
    return say("It is 4.") if request.tool_outputs else call("calculate", expression="2+2")


def sent_in(server, first=0):
    return [{name: r.body.get(name) for name in SENT} for r in server.requests[first:]]


def opened(redis_url, folder, server, **changes):
    return Runtime.open(redis_url, folder, settings=settings_for(server, **changes))


@pytest.fixture
def server():
    with ScriptedOpenAI(answer) as server:
        yield server


async def test_every_call_of_a_run_has_them_and_no_other_run(redis_url, tmp_path, server):
    async with opened(redis_url, tmp_path, server) as rt:
        reply = await rt.ask(CALCULATOR, "What is 2+2?", model_settings=ASKED)
        assert sent_in(server) == [SENT, SENT]
        async for _ in rt.stream(CALCULATOR, "And 2+2?", model_settings=ASKED):
            pass
        assert sent_in(server, 2) == [SENT, SENT]
        await rt.ask(CALCULATOR, "What is 2+2?", thread=reply.thread_id)
        assert not any(value for sent in sent_in(server, 4) for value in sent.values())


async def test_they_are_recorded_and_a_replay_matches(redis_url, tmp_path, server):
    async with opened(redis_url, tmp_path, server) as rt:
        reply = await rt.ask(CALCULATOR, "What is 2+2?", model_settings=ASKED)
        journal = await rt.runs.journal(reply.run_id)
        file = await rt.runs.export(reply.run_id)
        replayed = await rt.runs.replay(reply.run_id)
    assert replayed.difference is None
    assert replayed.calls == 3
    assert len(server.requests) == 2
    assert journal.entries[0].data["options"]["model_settings"] == ASKED.given()
    # What a call asked for holds them, so that it is another call with others.
    models = [one for one in journal.calls() if one.kind is CallKind.MODEL]
    for record in models:
        options = json.loads(journal.blobs[record.request["options"][0]])
        assert options["temperature"] == 0.25
        assert options["stop"] == ["END", "\n\n#"]
    assert ASKED.given() == file.journal.entries[0].data["options"]["model_settings"]


async def test_a_run_that_is_taken_up_again_has_the_same(redis_url, tmp_path):
    script = [call("calculate", expression="2+2"), server_error(), say("It is 4.")]
    with ScriptedOpenAI(script) as server:
        async with opened(redis_url, tmp_path, server) as rt:
            with pytest.raises(ModelError):
                await rt.ask(CALCULATOR, "What is 2+2?", model_settings=ASKED)
            [run] = await rt.runs.recent()
        async with opened(redis_url, tmp_path, server) as rt:
            assert await rt.runs.model_settings(run) == ASKED
            reply = await rt.resume(run.id, agent=CALCULATOR)
            assert (await rt.runs.replay(run.id)).difference is None
        # The first answer was not asked for again.
        assert sent_in(server) == [SENT, SENT, SENT]
    assert reply.text == "It is 4."


async def test_a_queued_run_has_them_and_keeps_them(redis_url, tmp_path, server):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "calculator.yaml").write_text("tools: [calculate]\n")
    async with opened(redis_url, tmp_path, server) as rt:
        asked = RunRequest("calculator", "2+2?", options=RunOptions(model_settings=ASKED))
        queued = await rt.queue.submit(asked)
        await rt.queue.cancel(queued.run_id)
        # Its graph is executed otherwise from now on; what its models are given stays.
        await rt.queue.resume(queued.run_id, options=RunOptions(tags=["again"]))
        worker = rt.worker()
        working = asyncio.create_task(worker.run())
        run = await rt.queue.wait(queued.run_id)
        worker.stop()
        await working
        assert run.status is RunStatus.SUCCESS, run.error
        assert (await rt.runs.replay(run.id)).difference is None
    assert sent_in(server) == [SENT, SENT]


async def test_a_dry_run_and_a_fork_have_them(redis_url, tmp_path, server):
    async with opened(redis_url, tmp_path, server) as rt:
        plan = await rt.dry_run(CALCULATOR, "2+2?", model_settings=ASKED)
        assert sent_in(server) == [SENT, SENT]
        assert (await rt.runs.replay(plan.reply.run_id)).difference is None
        run_id = (await rt.ask(CALCULATOR, "2+2?", model_settings=ASKED)).run_id
        fork = await rt.fork(run_id)
        assert len(server.requests) == 4  # All of it was known.
        assert (await rt.runs.replay(fork.run_id)).difference is None
        await rt.fork(run_id, at=3)
        assert sent_in(server, 4) == [SENT]
        other = await rt.fork(run_id, model_settings=ModelSettings(temperature=1))
        assert [one["temperature"] for one in sent_in(server, 5)] == [1, 1]
        differences = await rt.runs.diff(run_id, other.run_id)
        assert any("options." in str(one) for one in differences)


async def test_a_profile_says_the_longest_answer_and_the_run_the_rest(redis_url, tmp_path, server):
    profile = {"model": "openai:gpt-4o", "temperature": 0.9, "max_output_tokens": 200}
    async with opened(redis_url, tmp_path, server, **profile) as rt:
        asked = ModelSettings(temperature=0.0, max_output_tokens=10_000)
        await rt.ask(CALCULATOR, "2+2?", model_settings=asked)
        await rt.ask(CALCULATOR, "2+2?", model_settings=ModelSettings(max_output_tokens=70))
        await rt.ask(CALCULATOR, "2+2?")
        tight = CALCULATOR.model_copy(update={"budget": Budget(output_tokens=100)})
        await rt.ask(tight, "2+2?", model_settings=asked)
    sent = [(one["temperature"], one["max_completion_tokens"]) for one in sent_in(server)]
    used = server.requests[6].body["max_completion_tokens"] - sent[7][1]
    assert sent[:7] == [(0, 200), (0, 200), (0.9, 70), (0.9, 70), (0.9, 200), (0.9, 200), (0, 100)]
    assert sent[7][0] == 0
    assert 0 < used < 100  # What the first call left of the run's 100.


async def test_the_operator_says_what_callers_may_ask(redis_url, tmp_path, server):
    async with opened(redis_url, tmp_path, server, takes=("seed", "reasoning_effort")) as rt:
        assert rt.settings_taken(CALCULATOR) == {"seed", "reasoning_effort"}
        await rt.ask(CALCULATOR, "2+2?", model_settings=ModelSettings(seed=7))
        with pytest.raises(ModelSettingError, match="'temperature'"):
            await rt.ask(CALCULATOR, "2+2?", model_settings=ModelSettings(temperature=0))
    assert [one["seed"] for one in sent_in(server)] == [7, 7]


async def test_a_fallback_that_does_not_take_a_setting_refuses_it_for_all(redis_url, tmp_path):
    with ScriptedOpenAI([]) as one, ScriptedOpenAI([]) as two:
        settings = settings_for(one, two)
        models = dict(settings.models)
        models["two"] = models["two"].model_copy(update={"takes": ("seed",)})
        settings = settings.model_copy(update={"models": models})
        async with Runtime.open(redis_url, tmp_path, settings=settings) as rt:
            assert rt.settings_taken(CALCULATOR) == {"seed"}
            with pytest.raises(ModelSettingError, match="'temperature'"):
                await rt.ask(CALCULATOR, "2+2?", model_settings=ModelSettings(temperature=0))


class OtherProviders(BaseChatModel):
    """A model of a class that nothing is known of."""

    given: ClassVar[list[dict]] = []

    @property
    def _llm_type(self):
        return "other"

    def _generate(self, messages, stop=None, run_manager=None, **options):
        self.given.append({"stop": stop, **options})
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Yes."))])


async def test_another_providers_model_is_given_what_the_operator_says_it_takes():
    asked = ModelSettings(temperature=0.5, stop=("x",), max_output_tokens=70)
    place = {"thread_id": "t", "run_id": "r", "model_settings": asked}
    taken = ("temperature", "stop", "max_output_tokens")
    for takes in (taken, None):
        model = through_boundary(OtherProviders(), ModelInfo("other:one", takes=takes))
        with boundary(GateChain([]), **place):
            if takes is None:
                with pytest.raises(ModelSettingError):
                    await model.ainvoke("Hello?")
                continue
            await model.ainvoke("Hello?")
        assert model.given == [{"stop": ["x"], "temperature": 0.5, "max_tokens": 70}]


async def test_parallel_runs_on_one_model_have_their_own(redis_url, tmp_path, server):
    async with opened(redis_url, tmp_path, server) as rt:
        asked = [ModelSettings(seed=number) for number in range(10)]
        await asyncio.gather(
            *(rt.ask(CALCULATOR, f"{one.seed}: 2+2?", model_settings=one) for one in asked)
        )
    for request in server.requests:
        assert request.last_user_text.startswith(f"{request.body['seed']}:")
    assert len(server.requests) == 20


FOREIGN = """
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import START, MessagesState, StateGraph
from treadle.agents import Agent


def made(model):
    def think(state: MessagesState):
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    return graph


foreign = made(FakeListChatModel(responses=["Mine."]))


def alone():
    return foreign


def given(parts):
    return made(parts.model)
"""
COLLEAGUE = "graph: supervisor\nagents: [stranger]\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "own.py").write_text(FOREIGN)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "stranger.yaml").write_text("graph: own.py:foreign\n")
    (tmp_path / "agents" / "chief.yaml").write_text(COLLEAGUE)
    return tmp_path


@pytest.mark.parametrize("graph", ["own.py:foreign", "own.py:alone"])
async def test_a_graph_with_models_of_its_own_is_refused_by_name(redis_url, project, server, graph):
    stranger = Agent(name="stranger", graph=graph)
    asked = ModelSettings(temperature=0.2)
    async with opened(redis_url, project, server) as rt:
        assert not rt.settings_taken(stranger)
        for ask in (rt.ask, rt.dry_run):
            with pytest.raises(ModelSettingError, match=r"'temperature'.*'stranger'"):
                await ask(stranger, "Hello?", model_settings=asked)
        for name in ("stranger", "chief"):  # One works for the other.
            request = RunRequest(name, "Hello?", options=RunOptions(model_settings=asked))
            with pytest.raises(ModelSettingError, match="'temperature'"):
                await rt.queue.submit(request)
        assert not await rt.runs.recent()
        assert (await rt.ask(stranger, "Hello?")).text == "Mine."


async def test_a_graph_that_is_given_its_agents_model_takes_them(redis_url, project, server):
    async with opened(redis_url, project, server) as rt:
        await rt.ask(Agent(name="own", graph="own.py:given"), "Hello?", model_settings=ASKED)
    assert sent_in(server) == [SENT]


async def test_the_embedded_model_keeps_to_those_that_it_can(redis_url, tmp_path, server):
    quoter = Agent(name="quoter", model="embedded")
    text = "Looms have heddles. What do looms have?"
    async with opened(redis_url, tmp_path, server) as rt:
        whole = (await rt.ask(quoter, text)).text
        chance = ModelSettings(temperature=2, top_p=0.1, seed=7, presence_penalty=2)
        assert (await rt.ask(quoter, text, model_settings=chance)).text == whole
        word = whole.split()[2]
        ended = await rt.ask(quoter, text, model_settings=ModelSettings(stop=(word,)))
        assert ended.text.strip() == whole.partition(word)[0].strip()
        short = await rt.ask(quoter, text, model_settings=ModelSettings(max_output_tokens=2))
        assert short.usage.output_tokens == 2
        for name in ("reasoning_effort", "verbosity"):
            with pytest.raises(ModelSettingError, match=name):
                await rt.ask(quoter, text, model_settings=ModelSettings.read({name: "low"}))


async def test_a_model_behind_the_responses_api_is_given_what_that_has(redis_url, tmp_path):
    with ScriptedOpenAI(answer) as server:
        async with opened(redis_url, tmp_path, server, model="openai:gpt-5-codex") as rt:
            asked = ModelSettings(reasoning_effort="low", verbosity="low", max_output_tokens=99)
            await rt.ask(CALCULATOR, "2+2?", model_settings=asked)
            with pytest.raises(ModelSettingError, match="'stop'"):
                await rt.ask(CALCULATOR, "2+2?", model_settings=ModelSettings(stop=("x",)))
    for request in server.requests:
        assert request.body["reasoning"]["effort"] == "low"
        assert request.body["text"]["verbosity"] == "low"
        assert request.body["max_output_tokens"] == 99
    assert len(server.requests) == 2


async def test_a_run_that_another_worker_takes_up_has_the_same(redis_url, tmp_path):
    is_back = False

    def hanging(request):
        return answer(request) if is_back or not request.tool_outputs else hang()

    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "calculator.yaml").write_text("tools: [calculate]\n")
    with ScriptedOpenAI(hanging) as server:
        async with opened(redis_url, tmp_path, server, timeout_seconds=60) as rt:
            asked = RunRequest("calculator", "2+2?", options=RunOptions(model_settings=ASKED))
            queued = await rt.queue.submit(asked)
            worker = rt.worker()
            working = asyncio.create_task(worker.run())
            await asyncio.to_thread(
                wait_until, lambda: len(server.requests) == 2, within_seconds=30
            )
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        is_back = True
        async with opened(redis_url, tmp_path, server) as rt:
            worker = rt.worker()
            working = asyncio.create_task(worker.run())
            run = await rt.queue.wait(queued.run_id)
            worker.stop()
            await working
            assert (run.status, run.attempt) == (RunStatus.SUCCESS, 2)
            assert (await rt.runs.replay(run.id)).difference is None
    assert sent_in(server) == [SENT, SENT, SENT]
