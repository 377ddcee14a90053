"""Assistants, through the Python client of LangGraph's server."""

import uuid

import pytest
from langgraph_sdk.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)


async def test_each_agent_is_an_assistant_of_a_lasting_id(client):
    found = await client.assistants.search(graph_id="own")
    namespace = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
    assert found[0]["assistant_id"] == str(uuid.uuid5(namespace, "own"))
    assert found[0]["metadata"] == {"created_by": "system"}
    assert await client.assistants.count(graph_id="own") == 1
    by_id = await client.assistants.get(found[0]["assistant_id"])
    by_name = await client.assistants.get("own")
    assert by_id["graph_id"] == by_name["graph_id"] == by_id["name"] == "own"


async def test_an_assistant_is_made_changed_and_brought_back(client):
    made = await client.assistants.create(
        "own", config={"recursion_limit": 5}, metadata={"a": 1}, name="Mine", description="One."
    )
    key = made["assistant_id"]
    assert (made["version"], made["config"], made["context"]) == (1, {"recursion_limit": 5}, {})
    changed = await client.assistants.update(key, name="Yours", metadata={"b": 2})
    assert (changed["version"], changed["name"], changed["description"]) == (2, "Yours", "One.")
    assert changed["metadata"] == {"a": 1, "b": 2}
    versions = await client.assistants.get_versions(key)
    assert [(v["version"], v["name"]) for v in versions] == [(2, "Yours"), (1, "Mine")]
    back = await client.assistants.set_latest(key, 1)
    assert (back["version"], back["name"]) == (1, "Mine")
    assert await client.assistants.get(key) == back
    with pytest.raises(NotFoundError):
        await client.assistants.set_latest(key, 3)
    await client.assistants.delete(key)
    with pytest.raises(NotFoundError):
        await client.assistants.get(key)


async def test_assistants_are_found_page_by_page(client):
    for number in range(3):
        await client.assistants.create("own", name=f"Mine {number}", metadata={"mine": True})
    page = await client.assistants.search(
        metadata={"mine": True}, limit=2, sort_by="name", sort_order="asc", response_format="object"
    )
    assert [one["name"] for one in page["assistants"]] == ["Mine 0", "Mine 1"]
    assert page["next"] == "2"
    (last,) = await client.assistants.search(name="mine 2", select=["name"])
    assert last == {"name": "Mine 2"}


async def test_an_id_is_used_once(client):
    key = str(uuid.uuid4())
    made = await client.assistants.create("own", assistant_id=key)
    with pytest.raises(ConflictError):
        await client.assistants.create("own", assistant_id=key)
    again = await client.assistants.create("plain", assistant_id=key, if_exists="do_nothing")
    assert again == made


async def test_a_graph_is_drawn_and_described(client):
    graph = await client.assistants.get_graph("own", xray=True)
    assert "inner:deep" in {node["id"] for node in graph["nodes"]}
    schemas = await client.assistants.get_schemas("own")
    assert schemas["graph_id"] == "own"
    assert set(schemas["input_schema"]["properties"]) == {"said", "number"}
    assert set(schemas["state_schema"]["properties"]) == {"said", "number"}
    subgraphs = await client.assistants.get_subgraphs("own", recurse=True)
    assert set(subgraphs) == {"inner"}
    assert await client.assistants.get_subgraphs("own", namespace="inner") == subgraphs


async def test_wrong_requests_are_refused(client):
    with pytest.raises(NotFoundError):
        await client.assistants.create("nobody")
    for asked in (client.assistants.get("nobody"), client.assistants.get_graph("nobody")):
        with pytest.raises(NotFoundError):
            await asked
    with pytest.raises(PermissionDeniedError):
        await client.assistants.delete("own")
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.search(limit=0)
