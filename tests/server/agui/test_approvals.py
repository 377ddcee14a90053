"""Calls that wait for leave, in AG-UI's words: proposed, decided on by a person, and made."""

import uuid

import httpx
import pytest
from ag_ui.core import Event, EventType
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from tests.support.serving import serving, treadle
from treadle.memory import connect
from treadle.runtime.testing import ScriptedOpenAI, call, calls, say
from treadle.server.security import ApiKeys

SECRET = "a secret of at least thirty-two characters"
EVENTS = TypeAdapter(Event)
TOOLS = '''
from treadle.tools import Effect, tool


@tool(effect=Effect.ONCE)
def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: how much.
    """
    return f"paid {amount}"
'''
PAYER = 'tools: [agui_bank.py:pay]\npolicy:\n  - tool: "*"\n    then: ask\n'
SETTINGS = """
model = "scripted"

[models.scripted]
model = "openai:gpt-5-mini"
base_url = "{url}"
api_key_env = "SCRIPTED_KEY"
max_retries = 0

[server]
require_key = true
"""


def _answer(request):
    if results := request.tool_outputs:
        return say(f"So: {'; '.join(sorted(results.values()))}")
    if "both" in request.last_user_text:
        return calls(call("pay", amount=1), call("pay", amount=2))
    return call("pay", amount=250)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "agents").mkdir()
    (folder / "agui_bank.py").write_text(TOOLS)
    (folder / "agents" / "payer.yaml").write_text(PAYER)
    return folder


@pytest.fixture(scope="module")
def server(project, redis_6_2):
    with ScriptedOpenAI(_answer, verify=False) as model:
        (project / "treadle.toml").write_text(SETTINGS.format(url=model.base_url))
        environment = {"SCRIPTED_KEY": model.api_key, "TREADLE_KEYS_SECRET": SECRET}
        with serving(project, redis_6_2.url, environment=environment) as served:
            yield served


class Page:
    """A user interface on a thread of its own.

    Attributes:
        thread_id: the thread.
    """

    def __init__(self, url, key, thread_id=None):
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        self.thread_id = thread_id or uuid.uuid4().hex

    async def post(self, text="", resume=None):
        said = [{"id": "1", "role": "user", "content": text}] if text else []
        body = {"threadId": self.thread_id, "runId": uuid.uuid4().hex, "messages": said}
        return await self._http.post(
            "/agui/payer", json=body | ({"resume": resume} if resume else {})
        )

    async def run(self, text="", **about):
        answer = await self.post(text, **about)
        assert answer.status_code == 200, answer.text
        lines = [line for line in answer.text.split("\n\n") if line.startswith("data: ")]
        return [EVENTS.validate_json(line.removeprefix("data: ")) for line in lines]


@pytest.fixture
async def page_of(server, redis_6_2):
    pages = []
    async with connect(redis_6_2.url) as redis:

        async def made(name="ann", scope="admin", thread_id=None):
            keys = ApiKeys(redis, SECRET.encode())
            key = (await keys.create(name, tenant="main", subject=name, scope=scope)).key
            pages.append(Page(server.url, key, thread_id))
            return pages[-1]

        yield made
    for page in pages:
        await page._http.aclose()


def entry(interrupt, **payload):
    return {"interruptId": interrupt.id, "status": "resolved", "payload": payload}


def of_tools(events):
    """Return what is told of calls: by id, what kind and what it says."""
    return [
        (event.tool_call_id, event.type.value.removeprefix("TOOL_CALL_"), said)
        for event in events
        if event.type.value.startswith("TOOL_CALL_")
        for said in [getattr(event, "delta", None) or getattr(event, "content", None)]
    ]


def text_of(events):
    return "".join(e.delta for e in events if e.type is EventType.TEXT_MESSAGE_CONTENT)


@pytest.mark.parametrize(
    ("payload", "told", "by"),
    [
        ({"approved": True}, "paid 250", "ann"),
        ({"approved": True, "editedArgs": {"amount": 99}}, "paid 99", "ann"),
        ({"approved": False, "reason": "Not before Monday."}, "Not before Monday.", "ann"),
        ({"approved": False}, "rejected it", "ann"),
    ],
)
async def test_a_person_decides_on_a_call_where_it_is_proposed(page_of, payload, told, by):
    page = await page_of(by)
    first = await page.run("Pay the bill.")
    [interrupt] = first[-1].outcome.interrupts
    assert interrupt.reason == "tool_call"
    assert "pay" in interrupt.message
    assert interrupt.expires_at
    Draft202012Validator(interrupt.response_schema).validate(payload)
    id_ = interrupt.tool_call_id
    proposal = [(id_, "START", None), (id_, "ARGS", '{"amount": 250}'), (id_, "END", None)]
    assert of_tools(first) == proposal
    second = await page.run(resume=[entry(interrupt, **payload)])
    [(of_call, kind, said)] = of_tools(second)
    assert (of_call, kind) == (id_, "RESULT")
    assert told in said
    assert second[-1].outcome.type == "success"
    assert told in text_of(second)


async def test_calls_at_once_are_decided_on_one_by_one(page_of):
    page = await page_of()
    events = await page.run("Pay both.")
    proposed, decided = of_tools(events), 0
    while events[-1].outcome.type == "interrupt":
        interrupt = events[-1].outcome.interrupts[0]
        assert (interrupt.tool_call_id, "END", None) in proposed
        events = await page.run(resume=[entry(interrupt, approved=decided == 0)])
        proposed += of_tools(events)
        decided += 1
    assert decided == 2
    assert text_of(events).count("paid") == 1
    assert text_of(events).count("rejected") == 1
    for kind in ("START", "ARGS", "END", "RESULT"):
        ids = [of_call for of_call, told, _ in proposed if told == kind]
        assert len(ids) == len(set(ids)) == 2


async def test_leave_is_given_by_who_may_give_it_and_refused_by_anybody(
    page_of, project, redis_6_2
):
    page = await page_of("ben", "run")
    [interrupt] = (await page.run("Pay the bill."))[-1].outcome.interrupts
    for payload in ({"approved": True}, {"approved": True, "editedArgs": {"amount": 1}}):
        refused = await page.post(resume=[entry(interrupt, **payload)])
        assert refused.status_code == 403
        assert "treadle approvals" in refused.json()["detail"]
    stranger = await page_of("eve", "run", page.thread_id)
    unseen = await stranger.post(resume=[entry(interrupt, approved=False)])
    assert unseen.status_code == 404
    place = ("--project", str(project), "--redis", redis_6_2.url)
    kept = treadle("approvals", "approve", interrupt.id, "--no-resume", "--by", "Grace", *place)
    assert kept.returncode == 0, kept.stderr
    # The first answer holds.
    done = await page.run(resume=[entry(interrupt, approved=False)])
    assert text_of(done) == "So: paid 250"

    other = await page_of("ben", "run")
    [interrupt] = (await other.run("Pay the bill."))[-1].outcome.interrupts
    done = await other.run(resume=[entry(interrupt, approved=False, reason="No money.")])
    assert "No money." in text_of(done)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, "approved"),
        ({"approved": "yes"}, "approved"),
        ({"approved": True, "more": 1}, "more"),
        ({"approved": True, "editedArgs": {"amount": "a lot"}}, "amount"),
        ({"approved": True, "editedArgs": {}}, "amount"),
        ({"approved": False, "reason": "x" * 100_000}, "reason"),
    ],
)
async def test_what_is_no_decision_decides_nothing(page_of, payload, said):
    page = await page_of()
    [interrupt] = (await page.run("Pay the bill."))[-1].outcome.interrupts
    for wrong in (payload, "approve", [True]):
        answer = {"interruptId": interrupt.id, "status": "resolved", "payload": wrong}
        refused = await page.post(resume=[answer])
        assert refused.status_code == 422, refused.text
        assert interrupt.id in refused.text or said in refused.text
    unsaid = {"interruptId": interrupt.id, "status": "resolved"}
    waits = await page.post(resume=[unsaid])
    assert waits.status_code == 409
    done = await page.run(resume=[entry(interrupt, approved=True)])
    assert text_of(done) == "So: paid 250"
