"""A response in the background, and a server that is killed while it is made."""

import asyncio
from functools import partial

from openai import AsyncOpenAI, OpenAI

from tests.support.scripted_server import serving_scripted
from tests.support.waiting import wait_until
from treadle.runtime.testing import ScriptedOpenAI, call, calls, hang, say

ASKED = {"temperature": 0.3, "reasoning": {"effort": "low"}}
LEASE = "\n[runs]\nlease_seconds = 2\n"


def test_a_response_goes_on_after_its_server_was_killed(redis_6_2, tmp_path):
    is_back = False

    def answer(request):
        if not request.tool_outputs:
            return calls(call("calculate", expression="6*7"))
        return say("The result is 42.") if is_back else hang()

    with ScriptedOpenAI(answer, verify=False) as model:
        (tmp_path / "agents").mkdir()
        (tmp_path / "agents" / "counter.yaml").write_text("tools: [calculate]\n")
        served = partial(serving_scripted, tmp_path, redis_6_2.url, model, settings=LEASE)
        with served() as first:
            with OpenAI(base_url=f"{first.url}/v1", api_key="none", max_retries=0) as client:
                begun = client.responses.create(
                    model="counter", input="Please compute", background=True, **ASKED
                )
            wait_until(lambda: len(model.requests) == 2, within_seconds=30, what="it is made")
            first.process.kill()
            first.process.wait()
        is_back = True
        with (
            served() as second,
            OpenAI(base_url=f"{second.url}/v1", api_key="none", max_retries=0) as client,
        ):
            with client.responses.retrieve(begun.id, stream=True, starting_after=0) as stream:
                events = list(stream)
            assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
            assert events[-1].response.output_text == "The result is 42."
            assert client.responses.retrieve(begun.id).status == "completed"
            # The first call of the model was made once, and the tool's outcome was known.
            assert len(model.requests) == 3
            # The run was given the same in the process that took it up.
            for request in model.requests:
                body = request.body
                assert (body["temperature"], body["reasoning_effort"]) == (0.3, "low")


async def test_two_at_once_on_one_conversation_are_answered_one_after_the_other(server):
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:

        async def ask(**options):
            return await client.responses.create(
                model="guide", input="Tell our history", conversation="shared", **options
            )

        waited = await asyncio.gather(*(ask() for _ in range(3)))
        assert sorted(one.output_text for one in waited) == ["Seen 1.", "Seen 2.", "Seen 3."]
        begun = await asyncio.gather(*(ask(background=True) for _ in range(3)))
        said = []
        for one in begun:
            async with await client.responses.retrieve(one.id, stream=True) as stream:
                said.append([event async for event in stream][-1].response.output_text)
        assert sorted(said) == ["Seen 4.", "Seen 5.", "Seen 6."]
