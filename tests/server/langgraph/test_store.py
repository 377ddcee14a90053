"""The store, through the Python clients of LangGraph's server, with and without asyncio."""

import asyncio

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import UnprocessableEntityError


async def test_items_are_kept_found_and_removed(client):
    await client.store.put_item(["docs", "ann"], "one", {"text": "looms", "size": 1})
    await client.store.put_item(["docs", "ben"], "two", {"text": "dyes", "size": 2})
    item = await client.store.get_item(["docs", "ann"], "one")
    assert (item["namespace"], item["value"]["size"]) == (["docs", "ann"], 1)
    assert set(item) == {"namespace", "key", "value", "created_at", "updated_at"}
    found = await client.store.search_items(["docs"], filter={"size": 2})
    assert [one["key"] for one in found["items"]] == ["two"]
    names = await client.store.list_namespaces(prefix=["docs"])
    assert sorted(names["namespaces"]) == [["docs", "ann"], ["docs", "ben"]]
    await client.store.delete_item(["docs", "ann"], "one")
    assert await client.store.get_item(["docs", "ann"], "one") is None


async def test_true_is_not_1(client):
    for key, value in (("yes", True), ("one", 1), ("deep", {"a": [True]})):
        await client.store.put_item(["n"], key, {"flag": value})
    for wanted, keys in (
        (True, {"yes"}),
        (1, {"one"}),
        (1.0, {"one"}),
        ({"a": [1]}, set()),
        ({"a": [True]}, {"deep"}),
        ({"$eq": 1}, {"one"}),
        ({"$ne": True}, {"one", "deep"}),
        ({"$gt": 0}, {"one"}),
    ):
        found = await client.store.search_items(["n"], filter={"flag": wanted})
        assert {one["key"] for one in found["items"]} == keys, wanted


async def test_a_namespace_without_names_is_refused(client):
    for namespace in ([], [""]):
        with pytest.raises(UnprocessableEntityError):
            await client.store.put_item(namespace, "one", {})


async def test_the_client_without_asyncio_sees_the_same(served):
    def use() -> None:
        with get_sync_client(url=served[0]) as client:
            client.store.put_item(["docs"], "one", {"a": 1})
            assert client.store.get_item(["docs"], "one")["value"] == {"a": 1}
            thread = client.threads.create(metadata={"a": 1})
            assert client.threads.get(thread["thread_id"]) == thread
            assert client.assistants.get("own")["graph_id"] == "own"

    await asyncio.to_thread(use)
