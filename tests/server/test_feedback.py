"""What people say about a run: kept with its journal, forgotten with its thread."""

import httpx


async def _asked(client):
    body = {"model": "plain", "messages": [{"role": "user", "content": "Hello?"}]}
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["metadata"]


async def test_what_was_said_is_read_back_with_the_run(project, local_app):
    async with local_app(project) as client:
        run = f"/runs/{(await _asked(client))['run_id']}"
        assert (await client.get(run)).json()["feedback"] == []
        first = {"key": "helpful", "score": 0.0, "comment": "It was not.", "correction": {"a": 1}}
        said = (await client.post(f"{run}/feedback", json=first)).json()
        assert {name: said[name] for name in first} == first
        await client.post(f"{run}/feedback", json={"score": 1})
        shown = (await client.get(run)).json()
        assert [one["key"] for one in shown["feedback"]] == ["helpful", "user_score"]
        assert shown["status"] == "success"
        await client.post(f"{run}/feedback", json={"key": "helpful", "score": 1})
        read = (await client.get(f"{run}/feedback")).json()
        assert {one["key"]: one["score"] for one in read} == {"helpful": 1, "user_score": 1}


async def test_it_is_forgotten_with_the_thread(project, local):
    async with local(project, requires_key=False) as made:
        client = made.client
        place = await _asked(client)
        canary = "canary-of-feedback"
        await client.post(f"/runs/{place['run_id']}/feedback", json={"comment": canary})
        assert await made.runtime.redis.keys("*:feedback")
        await made.runtime.forget_thread(place["thread_id"])
        assert not await made.runtime.redis.keys("*:feedback")
        assert (await client.get(f"/runs/{place['run_id']}")).status_code == 404


async def test_secrets_in_it_are_not_kept(project, local_app):
    key = "sk-proj-" + "Ab1" * 20
    async with local_app(project) as client:
        run = f"/runs/{(await _asked(client))['run_id']}"
        said = await client.post(f"{run}/feedback", json={"comment": f"My key is {key}."})
        assert key not in said.text
        assert key not in (await client.get(run)).text


async def test_a_key_in_the_address_is_taken(project, local_app):
    async with local_app(project) as client:
        run = f"/runs/{(await _asked(client))['run_id']}"
        for key, place in (("was it good", "was%20it%20good"), ("good/true", "good%2Ftrue")):
            said = await client.post(f"{run}/feedback/{place}", json={"score": 1})
            assert (said.json()["key"], said.json()["score"]) == (key, 1)
        assert (await client.post(f"{run}/feedback/x", json={"key": "y"})).status_code == 422


async def test_only_so_much_can_be_said(project, local_app):
    async with local_app(project) as client:
        run = f"/runs/{(await _asked(client))['run_id']}"
        answers = [
            (await client.post(f"{run}/feedback", json={"key": f"k{number}"})).status_code
            for number in range(101)
        ]
        assert answers == [200] * 100 + [422]


async def test_another_ones_run_is_not_there(project, local):
    async with local(project) as made:
        ann, _ = await made.client_of(subject="ann")
        ben, _ = await made.client_of(subject="ben")
        run = f"/runs/{(await _asked(ann))['run_id']}"
        assert (await ann.get(run)).status_code == 200
        for answer in (
            await ben.get(run),
            await ben.get(f"{run}/feedback"),
            await ben.post(f"{run}/feedback", json={"score": 1}),
        ):
            assert isinstance(answer, httpx.Response)
            assert answer.status_code == 404
        assert (await ann.get(run)).json()["feedback"] == []
