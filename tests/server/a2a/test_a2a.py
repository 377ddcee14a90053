"""The Agent2Agent protocol, by the SDK's own client against a real server process."""

import uuid
from contextlib import asynccontextmanager

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict

from tests.server.conftest import make_graphs_project
from tests.support.serving import serving
from treadle.memory import connect
from treadle.server.security import ApiKeys

SECRET = "a secret of at least thirty-two characters"
BINDINGS = ["JSONRPC", "HTTP+JSON"]
NO_TASK = "no-such-task"
PAUSE = """
import asyncio
from pathlib import Path

from langgraph.graph import START, MessagesState, StateGraph


async def wait(state):
    while not Path(__file__).with_name("gate").exists():
        await asyncio.sleep(0.01)
    return {"messages": [("ai", "I was let go.")]}


async def call(state):
    raise ValueError("It broke.")


def make(node):
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")


pause, fail = make(wait), make(call)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_graphs_project(tmp_path_factory.mktemp("project"))
    about = "description: It talks.\ngraph: graphs.py:talk\n"
    (project / "agents" / "talk.yaml").write_text(about)
    (project / "pause.py").write_text(PAUSE)
    for name in ("pause", "fail"):
        (project / "agents" / f"{name}.yaml").write_text(f"graph: pause.py:{name}\n")
    (project / "treadle.toml").write_text("[server]\nrequire_key = true\n")
    return project


@pytest.fixture(scope="module")
def started(project, redis_6_2):
    def start():
        return serving(project, redis_6_2.url, environment={"TREADLE_KEYS_SECRET": SECRET})

    return start


@pytest.fixture(scope="module")
def server(started):
    with started() as served:
        yield served


@pytest.fixture
async def key(redis_6_2):
    async with connect(redis_6_2.url) as redis:

        async def made(name, **about):
            about = {"tenant": "main", "subject": name, **about}
            return (await ApiKeys(redis, SECRET.encode()).create(name, **about)).key

        yield made


@asynccontextmanager
async def speaking(url, key, agent="talk", binding="JSONRPC", *, streaming=False):
    """Give a client that read the agent's card."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as http:
        card = await A2ACardResolver(http, f"{url}/a2a/{agent}").get_agent_card()
        config = ClientConfig(
            httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding]
        )
        async with ClientFactory(config).create(card) as client:
            yield client


async def asked_raw(url, method, path, key="", **about):
    """Ask without the client."""
    headers = {"A2A-Version": "1.0", **({"Authorization": f"Bearer {key}"} if key else {})}
    headers |= about.pop("headers", {})
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        return await http.request(method, path, **about)


def said(text, **about):
    message = Message(
        message_id=uuid.uuid4().hex, role=Role.ROLE_USER, parts=[Part(text=text)], **about
    )
    return SendMessageRequest(message=message)


async def sent(client, request):
    [answer] = [one async for one in client.send_message(request)]
    return answer.task


def text_of(artifacts):
    return "".join(part.text for artifact in artifacts for part in artifact.parts)


@pytest.mark.parametrize("binding", BINDINGS)
async def test_an_agent_answers_on_one_context(server, key, binding):
    async with speaking(server.url, await key("ann"), binding=binding) as client:
        first = await sent(client, said("Good morning"))
        assert first.status.state == TaskState.TASK_STATE_COMPLETED
        assert "Good morning" in text_of(first.artifacts)
        assert [part.text for part in first.history[0].parts] == ["Good morning"]
        again = await sent(client, said("And you?", context_id=first.context_id))
        assert again.context_id == first.context_id
        assert again.id != first.id
        assert await client.get_task(GetTaskRequest(id=first.id)) == first
        short = await client.get_task(GetTaskRequest(id=first.id, history_length=0))
        assert not short.history
        listed = await client.list_tasks(ListTasksRequest(context_id=first.context_id, page_size=1))
        assert [task.id for task in listed.tasks] == [again.id]
        assert listed.total_size == 2
        assert not listed.tasks[0].artifacts
        rest = await client.list_tasks(
            ListTasksRequest(
                context_id=first.context_id,
                page_token=listed.next_page_token,
                include_artifacts=True,
            )
        )
        assert list(rest.tasks) == [first]
        assert not rest.next_page_token


@pytest.mark.parametrize("binding", BINDINGS)
async def test_an_answer_is_streamed_and_ends_as_it_is_kept(server, key, binding):
    async with speaking(server.url, await key("ann"), binding=binding, streaming=True) as client:
        told = [one async for one in client.send_message(said("Stream, please"))]
        kinds = [one.WhichOneof("payload") for one in told]
        assert kinds[0] == "task"
        assert kinds[-2:] == ["artifact_update", "status_update"]
        assert kinds.count("artifact_update") > 5
        assert told[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        pieces = [one.artifact_update for one in told if one.HasField("artifact_update")]
        assert [piece.append for piece in pieces] == [False, *[True] * (len(pieces) - 2), False]
        assert [piece.last_chunk for piece in pieces] == [*[False] * (len(pieces) - 1), True]
        grown = "".join(text_of([piece.artifact]) for piece in pieces[:-1])
        assert grown == text_of([pieces[-1].artifact])
        kept = await client.get_task(GetTaskRequest(id=told[0].task.id))
        assert list(kept.artifacts) == [pieces[-1].artifact]


async def test_an_interrupt_needs_input_and_outlives_the_server(started, key):
    with started() as served:
        async with speaking(served.url, await key("ann"), "ask") as client:
            task = await sent(client, said("Do it"))
            assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
            assert "Sure?" in task.status.message.parts[0].text
            [asked] = MessageToDict(task.status.message.parts[1])["data"]["interrupts"]
            assert asked["value"] == {"question": "Sure?"}
        served.stop()
    with started() as served:
        async with speaking(served.url, await key("ann"), "ask") as client:
            waiting = await client.get_task(GetTaskRequest(id=task.id))
            assert waiting == task
            done = await sent(client, said("certain", task_id=task.id))
            assert done.id == task.id
            assert done.status.state == TaskState.TASK_STATE_COMPLETED
            assert text_of(done.artifacts) == "You are certain."
            with pytest.raises(UnsupportedOperationError, match="waits for nothing"):
                await sent(client, said("certain", task_id=task.id))


@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_context_that_waits_for_an_answer_takes_no_new_task(server, key, binding):
    async with speaking(server.url, await key("ann"), "ask", binding) as client:
        task = await sent(client, said("Do it"))
        with pytest.raises(UnsupportedOperationError, match=task.id):
            await sent(client, said("certain", context_id=task.context_id))
        assert await client.get_task(GetTaskRequest(id=task.id)) == task
        done = await sent(client, said("certain", task_id=task.id, context_id=task.context_id))
        assert text_of(done.artifacts) == "You are certain."
        # It waits no longer: the context takes new tasks, and one that is given up makes room too.
        other = await sent(client, said("Do it", context_id=task.context_id))
        assert other.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        left = await client.cancel_task(CancelTaskRequest(id=other.id))
        assert left.status.state == TaskState.TASK_STATE_CANCELED
        last = await sent(client, said("Do it", context_id=task.context_id))
        assert last.status.state == TaskState.TASK_STATE_INPUT_REQUIRED


@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_task_under_way_is_read_on_and_stopped(server, project, key, binding):
    gate = project / "gate"
    gate.unlink(missing_ok=True)
    ann = await key("ann")
    now = SendMessageConfiguration(return_immediately=True)
    async with speaking(server.url, ann, "pause", binding, streaming=True) as client:
        held, stopped = said("Wait"), said("Wait for good")
        async with speaking(server.url, ann, "pause", binding) as plain:
            for asked in (held, stopped):
                asked.configuration.CopyFrom(now)
            task, other = await sent(plain, held), await sent(plain, stopped)
        assert task.status.state in (
            TaskState.TASK_STATE_SUBMITTED,
            TaskState.TASK_STATE_WORKING,
        )
        left = await client.cancel_task(CancelTaskRequest(id=other.id))
        assert left.status.state == TaskState.TASK_STATE_CANCELED
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=other.id))
        told = []
        async for one in client.subscribe(SubscribeToTaskRequest(id=task.id)):
            told.append(one)
            gate.touch()
        assert told[0].task.id == task.id
        assert told[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        assert text_of([told[-2].artifact_update.artifact]) == "I was let go."
        with pytest.raises(UnsupportedOperationError, match="at its end"):
            async for _ in client.subscribe(SubscribeToTaskRequest(id=task.id)):
                pass


@pytest.mark.parametrize("binding", BINDINGS)
async def test_a_run_that_fails_is_a_task_that_failed(server, key, binding):
    async with speaking(server.url, await key("ann"), "fail", binding, streaming=True) as client:
        told = [one async for one in client.send_message(said("Go"))]
        status = told[-1].status_update.status
        assert status.state == TaskState.TASK_STATE_FAILED
        assert "It broke." in status.message.parts[0].text


@pytest.mark.parametrize("binding", BINDINGS)
async def test_what_is_anothers_is_not_found(server, key, binding):
    async with speaking(server.url, await key("ann"), binding=binding) as client:
        task = await sent(client, said("The word is heddle"))
    others = (
        await key("ben"),
        await key("ann-elsewhere", subject="ann", tenant="other"),
        await key("ann-2", subject="ann", agents=("ask",)),
    )
    for other, agent in zip(others, ("talk", "talk", "ask"), strict=True):
        async with speaking(server.url, other, agent, binding) as client:
            for asking in (
                client.get_task(GetTaskRequest(id=task.id)),
                client.cancel_task(CancelTaskRequest(id=task.id)),
                sent(client, said("Go on", task_id=task.id)),
            ):
                with pytest.raises(TaskNotFoundError) as refused:
                    await asking
                assert "heddle" not in str(refused.value)
            assert not (await client.list_tasks(ListTasksRequest(context_id=task.context_id))).tasks
    async with speaking(server.url, others[0], binding=binding) as client:
        with pytest.raises(TaskNotFoundError):
            await sent(client, said("Go on", context_id=task.context_id))


async def test_a_key_for_other_agents_finds_no_card(server, key):
    ben = await key("ben", agents=("ask",))
    for path in ("/a2a/talk/.well-known/agent-card.json", "/a2a/talk/tasks", "/a2a/none/tasks"):
        answer = await asked_raw(server.url, "GET", path, ben)
        assert answer.status_code == 404
        assert answer.json()["error"]["status"] == "NOT_FOUND"
    unknown = await asked_raw(server.url, "GET", "/a2a/ask/tasks")
    assert unknown.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/tasks", 200),
        ("GET", f"/tasks/{NO_TASK}:subscribe", 404),
        ("POST", f"/tasks/{NO_TASK}:subscribe", 404),
        ("POST", f"/tasks/{NO_TASK}:cancel", 403),
        ("POST", "/message:send", 403),
        ("POST", "/message:stream", 403),
        ("POST", "", 403),
    ],
)
async def test_a_scope_to_read_asks_nothing(server, key, method, path, status):
    reader = await key("reader", scope="read")
    answer = await asked_raw(server.url, method, f"/a2a/talk{path}", reader)
    assert answer.status_code == status


async def test_the_card_says_where_and_how(server, key):
    path = "/a2a/talk/.well-known/agent-card.json"
    card = (await asked_raw(server.url, "GET", path, await key("ann"))).json()
    assert card["description"] == "It talks."
    assert [(one["url"], one["protocolBinding"]) for one in card["supportedInterfaces"]] == [
        (f"{server.url}/a2a/talk", binding) for binding in BINDINGS
    ]
    assert card["capabilities"] == {"streaming": True, "pushNotifications": False}
    assert card["securitySchemes"]


@pytest.mark.parametrize("binding", BINDINGS)
async def test_what_is_not_supported_is_refused_by_name(server, key, binding):
    async with speaking(server.url, await key("ann"), binding=binding) as client:
        config = TaskPushNotificationConfig(task_id=NO_TASK, url="http://127.0.0.1:1/")
        with pytest.raises(PushNotificationNotSupportedError):
            await client.create_task_push_notification_config(config)
        notified = said("Hello")
        notified.configuration.task_push_notification_config.CopyFrom(config)
        with pytest.raises(PushNotificationNotSupportedError, match="taskPushNotificationConfig"):
            await sent(client, notified)
        with pytest.raises(UnsupportedOperationError, match="referenceTaskIds"):
            await sent(client, said("Hello", reference_task_ids=["x"]))
        for wrong in (said(""), said("Hello", context_id="\x00"), SendMessageRequest()):
            with pytest.raises(InvalidParamsError):
                await sent(client, wrong)
        file = said("Look")
        file.message.parts[0].CopyFrom(Part(raw=b"x"))
        with pytest.raises(A2AError, match="'raw'"):
            await sent(client, file)
        for page in (ListTasksRequest(page_size=101), ListTasksRequest(page_token="x")):
            with pytest.raises(InvalidParamsError):
                await client.list_tasks(page)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "1.0", "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "method": "Nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "params": []}', -32602),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "params": {"id": 7}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "params": {"id": "x", "more": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "params": {"id": "x", "tenant": "o"}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "params": {"id": "x"}}', -32001),
        (b'{"jsonrpc": "2.0", "method": "SubscribeToTask", "params": {"id": "x"}}', -32001),
        (b'{"jsonrpc": "2.0", "method": "GetExtendedAgentCard"}', -32007),
    ],
)
async def test_json_rpc_says_what_is_wrong(server, key, body, code):
    answer = await asked_raw(server.url, "POST", "/a2a/talk", await key("ann"), content=body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("headers", [{"A2A-Version": "0.3"}, {"A2A-Version": ""}])
async def test_another_version_is_refused(server, key, headers):
    ann, body = await key("ann"), {"jsonrpc": "2.0", "id": 1, "method": "ListTasks"}
    about = {"json": body, "headers": headers}
    answer = await asked_raw(server.url, "POST", "/a2a/talk", ann, **about)
    assert answer.json()["error"]["code"] == -32009
    answer = await asked_raw(server.url, "GET", "/a2a/talk/tasks", ann, headers=headers)
    assert answer.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"
