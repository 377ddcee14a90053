"""A run that waits for a person, and the clients that people talk through: told, and answered."""

from contextlib import asynccontextmanager

import httpx
import httpx2
import openai
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import (
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import UnsupportedOperationError
from google.protobuf.json_format import MessageToDict
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.scripted_server import client, serving_scripted
from tests.support.serving import treadle
from tests.support.waiting_agents import make_waiting_agents
from treadle.runtime.testing import ScriptedOpenAI, call, say

__all__ = ["client"]
ORDER = {"question": "What shall I order?", "choices": ["linen", "wool"]}


def _answer(request):
    if request.last_user_text == "Hello":
        return say("Good morning.")
    return say("It is paid.") if request.tool_outputs else call("pay", amount=250)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    make_waiting_agents(folder, ORDER)
    return folder


@pytest.fixture(scope="module")
def server(project, redis_6_2):
    with (
        ScriptedOpenAI(_answer, verify=False) as model,
        serving_scripted(project, redis_6_2.url, model) as served,
    ):
        yield served


@pytest.fixture
def approvals(project, redis_6_2):
    """Answer an approval as a person at a terminal does."""

    def run(*arguments):
        place = ("--project", str(project), "--redis", redis_6_2.url)
        return treadle("approvals", *arguments, *place)

    return run


class Chat:
    """A conversation by chat completions, told whole each time as chat clients do."""

    def __init__(self, client, agent, *, thread=None, stream=False):
        self._client, self._agent, self._stream = client, agent, stream
        self._about = {"metadata": {"thread_id": thread}} if thread else {}
        self._messages = []

    def say(self, text):
        """Return what is answered; it is said again with the next message."""
        self._messages.append({"role": "user", "content": text})
        asked = {"model": self._agent, "messages": self._messages, **self._about}
        if self._stream:
            with self._client.chat.completions.create(stream=True, **asked) as chunks:
                answer = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        else:
            answer = self._client.chat.completions.create(**asked).choices[0].message.content
        self._messages.append({"role": "assistant", "content": answer})
        return answer


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("thread", ["shop-{}", None])
def test_a_chat_answers_what_a_run_asks(client, thread, stream):
    chat = Chat(client, "buyer", thread=thread and thread.format(stream), stream=stream)
    first = chat.say("Order something.")
    assert first.startswith("What shall I order?")
    assert "the next message here is the answer" in first
    assert chat.say('["linen", "wool"]').startswith("How much of it?")
    assert chat.say("12") == "Ordered '12' of ['linen', 'wool']."
    assert chat.say("Another.").startswith("What shall I order?")


def test_what_another_agent_asked_is_not_answered(client):
    Chat(client, "buyer", thread="two-agents").say("Order something.")
    other = Chat(client, "assistant", thread="two-agents").say("Hello")
    assert other == "Good morning."


def test_a_run_that_nobody_keeps_is_told_anew(client):
    unknown = "What?\n\n(Run 00000000000000000000000000000000 waits: answer it.)"
    said = [("user", "Order"), ("assistant", unknown), ("user", "linen")]
    messages = [{"role": role, "content": text} for role, text in said]
    done = client.chat.completions.create(model="buyer", messages=messages)
    assert done.choices[0].message.content.startswith("What shall I order?")


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_answers_what_a_run_asks(client, stream):
    def respond(**asked):
        asked = {"model": "buyer", **asked}
        if not stream:
            return client.responses.create(**asked)
        with client.responses.create(stream=True, **asked) as events:
            return list(events)[-1].response

    first = respond(input="Order something.")
    assert first.status == "completed"
    assert first.output_text.startswith("What shall I order?")
    second = respond(input="wool", previous_response_id=first.id)
    assert second.output_text.startswith("How much of it?")
    assert second.id != first.id
    last = respond(input="a bale", previous_response_id=second.id)
    assert last.output_text == "Ordered 'a bale' of 'wool'."
    assert client.responses.retrieve(first.id).output_text == first.output_text
    assert client.responses.retrieve(last.id).output_text == last.output_text


def test_leave_is_given_by_a_person_and_by_no_message(client, approvals):
    chat = Chat(client, "payer", thread="leave")
    first = chat.say("Pay the bill.")
    assert 'leave to call pay({"amount": 250})' in first
    assert "a message here does not" in first
    approval = first.partition("(approval ")[2].partition(")")[0]
    with pytest.raises(openai.ConflictError, match="treadle approvals"):
        chat.say("approve")
    assert "pending" in approvals("show", approval).stdout

    kept = approvals("approve", approval, "--no-resume", "--by", "Grace")
    assert kept.returncode == 0, kept.stderr
    assert chat.say("Go on, please.") == "It is paid."


@asynccontextmanager
async def tools_of(server):
    async with httpx2.AsyncClient(timeout=60) as http:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


async def test_a_tool_of_mcp_returns_the_question_and_is_called_with_the_answer(server):
    async with tools_of(server) as client:
        first = await client.call_tool("buyer", {"question": "Order something."})
        thread = first.structured_content["thread_id"]
        assert not first.is_error
        assert first.content[0].text.startswith("What shall I order?")
        assert f"the thread_id '{thread}'" in first.content[0].text
        [asked] = first.structured_content["waits_for"]
        assert asked["value"]["choices"] == ["linen", "wool"]
        again = {"thread_id": thread}
        second = await client.call_tool("buyer", {"question": "wool", **again})
        assert second.content[0].text.startswith("How much of it?")
        last = await client.call_tool("buyer", {"question": "2 bales", **again})
        assert last.content[0].text == "Ordered '2 bales' of 'wool'."
        assert last.structured_content["waits_for"] == []


async def test_a_tool_of_mcp_gives_no_leave(server, approvals):
    async with tools_of(server) as client:
        first = await client.call_tool("payer", {"question": "Pay the bill."})
        about = {"thread_id": first.structured_content["thread_id"]}
        [asked] = first.structured_content["waits_for"]
        refused = await client.call_tool("payer", {"question": "approve", **about})
        assert refused.is_error
        assert "treadle approvals" in refused.content[0].text
        approvals("reject", asked["value"]["approval"], "--no-resume")
        done = await client.call_tool("payer", {"question": "Go on.", **about})
        assert done.content[0].text == "It is paid."


class Tasks:
    """The Agent2Agent protocol, by the SDK's own client."""

    def __init__(self, client):
        self._client = client

    async def send(self, text, task=None, data=None):
        """Return the task, at its end or where it waits."""
        part = Part(text=text)
        if data is not None:
            part = Part()
            part.data.struct_value.update(data)
        about = {"task_id": task.id} if task is not None else {}
        message = Message(message_id=text, role=Role.ROLE_USER, parts=[part], **about)
        request = SendMessageRequest(message=message, configuration=SendMessageConfiguration())
        told = [one async for one in self._client.send_message(request)]
        if told[-1].HasField("task"):
            return told[-1].task
        return await self._client.get_task(GetTaskRequest(id=told[0].task.id))

    async def subscribed(self, task):
        """Return what is told of a task that waits."""
        request = SubscribeToTaskRequest(id=task.id)
        return [one async for one in self._client.subscribe(request)]


@asynccontextmanager
async def tasks_of(server, agent, binding, streaming):
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, f"{server.url}/a2a/{agent}").get_agent_card()
        config = ClientConfig(
            httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding]
        )
        async with ClientFactory(config).create(card) as client:
            yield Tasks(client)


def asked_by(task):
    """Return what a task that waits says, in words and as data."""
    assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    words, data = task.status.message.parts
    return words.text, MessageToDict(data)["data"]["interrupts"]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_the_next_message_on_a_task_answers_what_it_asks(server, binding, streaming):
    async with tasks_of(server, "buyer", binding, streaming) as tasks:
        first = await tasks.send("Order something.")
        words, [interrupt] = asked_by(first)
        assert words.startswith("What shall I order?")
        assert "the next message on this task is the answer" in words
        assert interrupt["value"]["choices"] == ["linen", "wool"]
        if streaming:
            [waiting, *_] = await tasks.subscribed(first)
            assert waiting.task.status == first.status
        second = await tasks.send('["linen", "wool"]', first)
        assert second.id == first.id
        assert asked_by(second)[0].startswith("How much of it?")
        done = await tasks.send("12", second)
        assert done.status.state == TaskState.TASK_STATE_COMPLETED
        assert done.artifacts[0].parts[0].text == "Ordered '12' of ['linen', 'wool']."
        with pytest.raises(UnsupportedOperationError, match="waits for nothing"):
            await tasks.send("More.", done)


async def test_data_answers_by_the_id_of_what_is_asked(server):
    async with tasks_of(server, "buyer", "JSONRPC", streaming=False) as tasks:
        first = await tasks.send("Order something.")
        [interrupt] = asked_by(first)[1]
        second = await tasks.send("by id", first, data={interrupt["id"]: "silk"})
        done = await tasks.send("a bale", second)
        assert done.artifacts[0].parts[0].text == "Ordered 'a bale' of 'silk'."


async def test_a_message_on_a_task_gives_no_leave(server, approvals):
    async with tasks_of(server, "payer", "JSONRPC", streaming=False) as tasks:
        first = await tasks.send("Pay the bill.")
        words, [interrupt] = asked_by(first)
        assert 'leave to call pay({"amount": 250})' in words
        assert "a message here does not" in words
        for data in (None, {"approved": True}, {interrupt["id"]: {"approved": True}}):
            with pytest.raises(UnsupportedOperationError, match="treadle approvals"):
                await tasks.send("approve", first, data=data)
        kept = approvals("approve", interrupt["id"], "--no-resume", "--by", "Grace")
        assert kept.returncode == 0, kept.stderr
        done = await tasks.send("Go on, please.", first)
        assert done.status.state == TaskState.TASK_STATE_COMPLETED
        assert done.artifacts[0].parts[0].text == "It is paid."
