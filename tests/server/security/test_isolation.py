"""Every route, asked by every role of another tenant and of another owner: nothing is told."""

from contextlib import AsyncExitStack

import pytest

CANARY = "canary-7f3a"
OWN_GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph


def reply(state):
    return {"messages": [("ai", "noted")]}


graph = StateGraph(MessagesState).add_node("reply", reply).add_edge(START, "reply")
"""
THREAD, RUN = "guessed-thread", "guessed-run"
ASSISTANT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
def project(project):
    (project / "own.py").write_text(OWN_GRAPH)
    (project / "agents" / "own.yaml").write_text("graph: own.py:graph\n")
    return project


async def _leave_canaries(owner, admin):
    """Make one of everything that can be somebody's, each with the canary in it."""
    metadata = {"graph_id": "own", "note": CANARY}
    made = [
        await owner.post("/threads", json={"thread_id": THREAD, "metadata": metadata}),
        await owner.post(
            f"/threads/{THREAD}/state",
            json={
                "values": {"messages": [{"role": "user", "content": CANARY}]},
                "as_node": "reply",
            },
        ),
        await admin.post(
            "/assistants",
            json={"assistant_id": ASSISTANT, "graph_id": "own", "name": CANARY},
        ),
        await admin.put(
            "/store/items",
            json={"namespace": ["users", "ann"], "key": "k", "value": {"a": CANARY}},
        ),
    ]
    cron = {"assistant_id": "own", "schedule": "0 8 * * *", "metadata": {"note": CANARY}}
    made.append(await owner.post("/runs/crons", json=cron))
    made.append(await owner.post(f"/threads/{THREAD}/runs/crons", json=cron))
    for answer in made:
        assert answer.is_success, answer.text
    return made[-1].json()["cron_id"]


def _requests(document, cron_id):
    """Yield a request for each operation, with the ids of what is another's."""
    names = {"thread_id": THREAD, "assistant_id": ASSISTANT, "checkpoint_id": "c"}
    names |= {"namespace": "users", "run_id": RUN, "cron_id": cron_id}
    names |= {"model": "own", "response_id": RUN, "agent": "own", "task_id": RUN}
    names |= {"conversation_id": THREAD, "item_id": "msg_0"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            filled = path
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    name = parameter["name"]
                    filled = filled.replace(f"{{{name}}}", names.get(name, "x"))
            yield method.upper(), filled


ASKED = {"role": "user", "content": "What was said?"}
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "What was said?"}]}
HEADERS = {"A2A-Version": "1.0"}
BODIES = [
    {},
    {"limit": 100},
    {"thread_ids": [THREAD]},
    {"thread_id": THREAD},
    {"values": {"messages": []}, "as_node": "reply"},
    {"assistant_id": "own", "schedule": "0 8 * * *"},
    {"enabled": False, "schedule": "0 9 * * *"},
    {"namespace": ["users", "ann"], "key": "k", "value": {}},
    {"namespace": ["users", "ann"], "key": "k"},
    {"namespace_prefix": ["users"]},
    {"prefix": ["users"], "limit": 100},
    {
        "model": "own",
        "messages": [{"role": "user", "content": "?"}],
        "metadata": {"thread_id": THREAD},
    },
    {"model": "own", "input": "What was said?", "conversation": THREAD},
    {"model": "own", "input": "?", "conversation": THREAD, "background": True},
    {"model": "own", "input": "What was said?", "previous_response_id": f"resp_{RUN}"},
    {"items": [ASKED]},
    {"message": {**MESSAGE, "taskId": RUN}},
    {
        "threadId": THREAD,
        "runId": "r",
        "messages": [],
        "resume": [{"interruptId": "i", "status": "resolved", "payload": 1}],
    },
    {"threadId": THREAD, "runId": "r", "messages": []},
    {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": RUN}},
    {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"contextId": THREAD}},
]
BODIES += [
    {"channels": ["values", "lifecycle", "messages"], "namespaces": [[]]},
    {
        "id": 1,
        "method": "input.respond",
        "params": {"interrupt_id": "x", "response": "x", "namespace": []},
    },
]
QUERIES = {"namespace": "users.ann", "key": "k"}


@pytest.mark.parametrize("role", ["read", "run", "admin"])
async def test_another_tenant_is_told_nothing(project, local, role):
    async with local(project) as made, AsyncExitStack() as stack:
        owner, _ = await made.client_of(tenant="acme", subject="ann")
        admin, _ = await made.client_of(tenant="acme", scope="admin")
        other, _ = await made.client_of(tenant="other", scope=role, subject="ann")
        for client in (owner, admin, other):
            await stack.enter_async_context(client)
        cron_id = await _leave_canaries(owner, admin)
        document = (await other.get("/openapi.json")).json()
        asked = 0
        for method, path in _requests(document, cron_id):
            for body in BODIES if method in {"POST", "PUT", "PATCH", "DELETE"} else [None]:
                answer = await other.request(
                    method, path, json=body, params=QUERIES, headers=HEADERS
                )
                assert CANARY not in answer.text, f"{method} {path} {body}"
                assert answer.status_code < 500, f"{method} {path} {body}: {answer.text}"
                asked += 1
        assert asked > 100
        assert (await owner.get(f"/runs/crons/{cron_id}")).json()["schedule"] == "0 8 * * *"
        kept = (await owner.get(f"/threads/{THREAD}/state")).json()
        assert [one["content"] for one in kept["values"]["messages"]] == [CANARY]
        assert (await admin.get(f"/assistants/{ASSISTANT}")).status_code == 200


@pytest.mark.parametrize("role", ["read", "run"])
async def test_another_owner_of_the_tenant_is_told_nothing_of_threads_and_store(
    project, local, role
):
    async with local(project) as made, AsyncExitStack() as stack:
        owner, _ = await made.client_of(tenant="acme", subject="ann")
        admin, _ = await made.client_of(tenant="acme", scope="admin")
        other, _ = await made.client_of(tenant="acme", scope=role, subject="ben")
        for client in (owner, admin, other):
            await stack.enter_async_context(client)
        cron_id = await _leave_canaries(owner, admin)
        document = (await other.get("/openapi.json")).json()
        for method, path in _requests(document, cron_id):
            if path.startswith("/assistants"):
                continue  # Assistants are the tenant's.
            for body in BODIES if method in {"POST", "PUT", "PATCH", "DELETE"} else [None]:
                answer = await other.request(
                    method, path, json=body, params=QUERIES, headers=HEADERS
                )
                assert CANARY not in answer.text, f"{method} {path} {body}"
        kept = (await owner.get(f"/threads/{THREAD}/state")).json()
        assert [one["content"] for one in kept["values"]["messages"]] == [CANARY]
        assert (await owner.get(f"/runs/crons/{cron_id}")).json()["enabled"]
        assert (await owner.post("/runs/crons/count", json={})).json() == 2
        assert (await admin.post("/runs/crons/count", json={})).json() >= 2
        assert (await owner.post("/threads/count", json={})).json() == 1
        assert (await admin.post("/threads/count", json={})).json() >= 1


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read", "GET", "/info", 200),
        ("read", "POST", "/threads/search", 200),
        ("read", "POST", "/threads", 403),
        ("read", "DELETE", "/threads/x", 403),
        ("read", "POST", "/runs/crons", 403),
        ("read", "POST", "/threads/x/runs/crons", 403),
        ("read", "POST", "/runs/crons/search", 200),
        ("read", "PATCH", "/runs/crons/x", 403),
        ("read", "PUT", "/store/items", 403),
        ("read", "POST", "/threads/x/commands", 403),
        ("read", "POST", "/threads/x/stream/events", 422),
        ("read", "POST", "/v1/conversations/x/items", 403),
        ("read", "DELETE", "/v1/conversations/x/items/msg_0", 403),
        ("read", "GET", "/v1/conversations/x/items", 404),
        ("run", "POST", "/v1/conversations/x/items", 400),
        ("run", "DELETE", "/v1/conversations/x/items/msg_0", 404),
        ("read", "GET", "/metrics", 403),
        ("run", "POST", "/threads", 200),
        ("run", "GET", "/metrics", 403),
        ("run", "POST", "/assistants", 403),
        ("run", "PATCH", "/assistants/plain", 403),
        ("run", "POST", "/assistants/plain/latest", 403),
        ("run", "DELETE", "/assistants/plain", 403),
        ("run", "POST", "/assistants/search", 200),
        ("admin", "GET", "/metrics", 200),
        ("admin", "POST", "/assistants", 422),
    ],
)
async def test_a_scope_allows_what_it_says(project, local, scope, method, path, status):
    async with local(project) as made:
        client, _ = await made.client_of(scope=scope)
        assert (await client.request(method, path, json={})).status_code == status


async def test_another_owner_begins_and_follows_no_run_on_a_thread(project, local):
    async with local(project) as made, AsyncExitStack() as stack:
        owner, _ = await made.client_of(tenant="acme", subject="ann")
        other, _ = await made.client_of(tenant="acme", scope="run", subject="ben")
        for client in (owner, other):
            await stack.enter_async_context(client)
        assert (await owner.post("/threads", json={"thread_id": THREAD})).is_success
        start = {"id": 1, "method": "run.start", "params": {"assistant_id": "own", "input": {}}}
        refused = await other.post(f"/threads/{THREAD}/commands", json=start)
        assert refused.json()["type"] == "error", refused.text
        wanted = {"channels": ["values"]}
        followed = await other.post(f"/threads/{THREAD}/stream/events", json=wanted)
        assert followed.status_code == 404
        assert (await owner.get(f"/threads/{THREAD}/runs")).json() == []
