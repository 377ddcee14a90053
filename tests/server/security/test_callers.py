"""Who asks: keys, tokens of a provider, a check of the project's own."""

import base64
import hmac
import json
import time
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from tests.support.web_server import Answer, web_server
from treadle.server.security import Scope

A2A = {"A2A-Version": "1.0"}
ISSUER = "https://id.example"
HOOK = """
from treadle.server.security import Principal, Scope


async def check(headers):
    if headers.get("x-colleague") == "ann":
        return Principal("ann", scope=Scope.READ)
    return None
"""


async def test_a_key_is_kept_as_a_hash_and_revoked_at_once(project, local):
    async with local(project) as made:
        client, about = await made.client_of()
        key = client.headers["authorization"].removeprefix("Bearer ")
        assert len(key.split("_", 2)[2]) == 43  # 256 bits
        kept = b"".join((await made.runtime.redis.hgetall("treadle:{api-keys}")).values())
        assert key.split("_", 2)[2].encode() not in kept
        assert (await client.get("/info")).status_code == 200
        await made.keys.revoke(about.id)
        assert (await client.get("/info")).status_code == 401


async def test_a_key_hashed_with_another_secret_is_refused(project, local, monkeypatch):
    async with local(project) as made:
        client, _ = await made.client_of()
        assert (await client.get("/info")).status_code == 200
    monkeypatch.setenv("TREADLE_KEYS_SECRET", "another secret of thirty-two characters")
    async with local(project) as made:
        headers = client.headers
        assert (await made.client.get("/info", headers=headers)).status_code == 401


async def test_no_key_and_a_wrong_one_are_told_apart(project, local):
    async with local(project) as made:
        client, about = await made.client_of()
        await made.keys.revoke(about.id)
        revoked = (await client.get("/info")).json()["detail"]
        headers = {"authorization": "Bearer sk-whatever"}
        assert (await made.client.get("/info", headers=headers)).json()["detail"] == revoked
        missing = (await made.client.get("/info")).json()["detail"]
        assert "A key is needed" in missing
        assert missing != revoked


async def test_a_key_ends_when_its_time_is_over(project, local):
    async with local(project) as made:
        client, _ = await made.client_of(lifetime=timedelta(seconds=-1))
        assert (await client.get("/info")).status_code == 401


async def test_a_key_for_one_agent_asks_and_sees_no_other(project, local):
    async with local(project) as made:
        client, _ = await made.client_of(agents=("plain",))
        found = (await client.post("/assistants/search", json={"limit": 100})).json()
        assert [one["graph_id"] for one in found] == ["plain"]
        assert (await client.get("/assistants/assistant")).status_code == 404
        assert (await client.get("/assistants/plain")).status_code == 200
        models = (await client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in models] == ["plain"]
        asked = {"model": "assistant", "messages": [{"role": "user", "content": "Hello?"}]}
        assert (await client.post("/v1/chat/completions", json=asked)).status_code == 404


async def test_a_run_reaches_the_memory_of_its_callers_users_alone(project, local):
    async with local(project) as made:
        client, about = await made.client_of()
        admin, _ = await made.client_of(scope=Scope.ADMIN)
        run = {"assistant_id": "plain", "input": {"messages": []}}
        run["config"] = {"configurable": {"user_id": "ann"}}
        users = []
        for caller in (client, admin):
            queued = (await caller.post("/runs", json=run)).json()
            users.append((await made.runtime.runs.get(queued["run_id"])).user)
        assert users == [f"key:{about.id}/ann", "ann"]


@pytest.mark.parametrize("is_operator", [True, False])
async def test_a_thread_cannot_be_taken_with_an_id_that_is_none(project, local, is_operator):
    said = {"role": "user", "content": "Hello?"}
    async with local(project, requires_key=not is_operator) as made:
        client = made.client if is_operator else (await made.client_of())[0]
        for name in (" ", "x" * 201, "a\nb", "a/b", "..", "."):
            chat = {"model": "plain", "messages": [said], "metadata": {"thread_id": name}}
            ag_ui = {"threadId": name, "runId": "1", "messages": [{**said, "id": "1"}]}
            message = {"messageId": "1", "role": "ROLE_USER", "contextId": name}
            a2a = {"message": {**message, "parts": [{"text": "Hello?"}]}}
            refused = [
                await client.post("/threads", json={"thread_id": name}),
                await client.post("/v1/chat/completions", json=chat),
                await client.post("/agui/plain", json={**ag_ui, "tools": [], "context": []}),
                await client.post("/a2a/plain/message:send", json=a2a, headers=A2A),
            ]
            assert [answer.status_code for answer in refused] == [422, 400, 422, 400], name
            if "/" in name:
                assert [answer.text for answer in refused if "holds '/'" not in answer.text] == []
        listed = await client.post("/threads/search", json={})
        assert listed.json() == []
        assert not await made.runtime.redis.exists("treadle:main:{threads}:owners")


async def test_the_projects_own_check_knows_who_asks(project, local):
    (project / "callers.py").write_text(HOOK)
    settings = {"authenticate": "callers.py:check"}
    async with local(project, requires_key=False, server=settings) as made:
        assert (await made.client.get("/info")).status_code == 401
        known = {"x-colleague": "ann"}
        assert (await made.client.get("/info", headers=known)).status_code == 200
        assert (await made.client.post("/threads", json={}, headers=known)).status_code == 403


class Provider:
    """An OpenID provider with its keys on loopback."""

    def __init__(self, server):
        self.server = server
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.publish()

    def publish(self):
        body = json.dumps(KeySet(self.keys).as_dict())
        self.server.answers["/keys"] = Answer(body, content_type="application/json")

    @property
    def settings(self):
        url = f"{self.server.url}/keys"
        return {"issuer": ISSUER, "audience": "treadle", "jwks_url": url, "tenant_claim": "org"}

    def token(self, key=None, alg="RS256", kid="one", **claims):
        usual = {
            "iss": ISSUER,
            "aud": "treadle",
            "sub": "ann",
            "org": "acme",
            "scope": "openid run",
            "exp": int(time.time()) + 60,
        }
        given = {k: v for k, v in {**usual, **claims}.items() if v is not None}
        return jwt.encode({"alg": alg, "kid": kid}, given, key or self.keys[0], algorithms=[alg])


@pytest.fixture
async def provider():
    async with web_server() as server:
        yield Provider(server)


async def test_a_token_says_who_asks_what_they_may_and_of_which_tenant(project, local, provider):
    async with local(project, server={"jwt": provider.settings}) as made:
        bearer = {"authorization": f"Bearer {provider.token()}"}
        created = await made.client.post("/threads", json={"thread_id": "t"}, headers=bearer)
        assert created.status_code == 200
        assert await made.runtime.of_tenant("acme").threads.owners(["t"]) == ["ann"]
        assert await made.runtime.threads.owners(["t"]) == [None]
        reader = {"authorization": f"Bearer {provider.token(scope='read')}"}
        assert (await made.client.get("/threads/t", headers=reader)).status_code == 200
        assert (await made.client.post("/threads", json={}, headers=reader)).status_code == 403
        assert len(provider.server.requests) == 1  # The keys are kept.


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"nbf": int(time.time()) + 3_600},
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"scope": "openid"},
        {"scope": None},
        {"org": None},
        {"org": 7},
    ],
)
async def test_a_token_that_says_something_else_is_refused(project, local, provider, claims):
    async with local(project, server={"jwt": provider.settings}) as made:
        headers = {"authorization": f"Bearer {provider.token(**claims)}"}
        assert (await made.client.get("/info", headers=headers)).status_code == 401


def _signed_with_what_is_public(provider):
    """Return a token whose signature anybody can make, were it taken for a shared secret."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=")
    said = head + b"." + provider.token().split(".")[1].encode()
    made = hmac.digest(provider.keys[0].as_pem(private=False), said, "sha256")
    return (said + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode()


async def test_a_token_signed_in_any_other_way_is_refused(project, local, provider):
    other = RSAKey.generate_key(2048, {"kid": "one"})
    tokens = [
        provider.token(other),
        _signed_with_what_is_public(provider),
        provider.token(alg="RS512"),
        provider.token(ECKey.generate_key("P-256", {"kid": "two"}), alg="ES256", kid="two"),
        f"{provider.token().rpartition('.')[0]}.",
        provider.token()[:-4] + "AAAA",
        "a.b.c",
        "not-a-token",
    ]
    async with local(project, server={"jwt": provider.settings}) as made:
        for token in tokens:
            headers = {"authorization": f"Bearer {token}"}
            assert (await made.client.get("/info", headers=headers)).status_code == 401
        assert len(provider.server.requests) == 1  # Wrong tokens do not have the keys fetched.


async def test_a_tenant_that_cannot_be_one_is_refused(project, local, provider):
    async with local(project, server={"jwt": provider.settings}) as made:
        for org in ("a:b", "", "x" * 101, "{a}"):
            headers = {"authorization": f"Bearer {provider.token(org=org)}"}
            answer = await made.client.post("/threads/search", json={}, headers=headers)
            assert answer.status_code == 422


async def test_a_provider_out_of_reach_is_said(project, local, provider):
    settings = {**provider.settings, "jwks_url": "http://127.0.0.1:1/keys"}
    async with local(project, server={"jwt": settings}) as made:
        headers = {"authorization": f"Bearer {provider.token()}"}
        answer = await made.client.get("/info", headers=headers)
        assert answer.status_code == 503
        assert ISSUER in answer.json()["detail"]
