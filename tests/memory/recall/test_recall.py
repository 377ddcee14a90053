"""Finding the messages that matter again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from treadle.core.errors import InputError
from treadle.memory import connect, stamped
from treadle.memory.recall import Recall

THREAD = "a thread"


@pytest.fixture
async def client(redis_server):
    async with connect(redis_server.url) as opened:
        yield opened


@pytest.fixture
def recall(client):
    return Recall(client)


def said(id_: str, text: str, **more) -> HumanMessage:
    return HumanMessage(text, id=id_, **more)


async def ids(recall: Recall, query: str, k: int = 10, thread: str = THREAD) -> list[str | None]:
    return [one.message.id for one in await recall.search(thread, query, k)]


SMALL_TALK = [said(f"small-{n}", f"Nothing new here, number {n}.") for n in range(8)]


async def test_a_message_is_found_by_its_words(recall):
    await recall.add(THREAD, [*SMALL_TALK, said("boat", "We bought a boat."), *SMALL_TALK])
    [found] = await recall.search(THREAD, "Who has boats?", 1)
    assert found.message == said("boat", "We bought a boat.")
    assert found.score > 0


async def test_the_answer_to_a_question_is_found_by_the_words_of_the_question(recall):
    asked = said("asked", "Which instrument do you play?")
    await recall.add(THREAD, [*SMALL_TALK[:4], asked, said("told", "The cello."), *SMALL_TALK[4:]])
    assert await ids(recall, "instrument", 2) == ["asked", "told"]


async def test_who_said_it_and_when_find_it_too(recall):
    may = datetime(2023, 5, 8, tzinfo=UTC)
    first = stamped(said("ann", "I was at the lake.", name="Ann"), may)
    second = stamped(
        said("bob", "I was at the lake.", name="Bob"), datetime(2023, 9, 1, tzinfo=UTC)
    )
    await recall.add(THREAD, [first, *SMALL_TALK, second])
    assert (await ids(recall, "When was Bob at the lake?"))[0] == "bob"
    assert (await ids(recall, "Who was at the lake in May 2023?"))[0] == "ann"


async def test_adding_again_changes_nothing_and_an_edit_replaces(recall, client):
    messages = [said("a", "apples"), said("b", "bread"), said("c", "cheese")]
    await recall.add(THREAD, messages)
    before = await client.hgetall("treadle:main:{a%20thread}:recall:ids")
    await recall.add(THREAD, messages)
    assert await client.hgetall("treadle:main:{a%20thread}:recall:ids") == before
    await recall.add(THREAD, [said("b", "butter")])
    assert await ids(recall, "bread") == []
    # It stands where it stood, between its neighbours.
    assert await ids(recall, "butter") == ["b", "c", "a"]


async def test_removed_and_forgotten_messages_are_gone(recall, client):
    await recall.add(THREAD, [said("a", "canary"), said("b", "canary"), said("c", "canary")])
    assert await recall.remove(THREAD, ["b", "unknown"]) == 1
    assert await ids(recall, "canary") == ["c", "a"]
    assert await recall.forget(THREAD) == 2
    assert await client.keys("*") == []
    assert await recall.forget(THREAD) == 0


@pytest.mark.parametrize("query", ["", "  \n", "what was it that they were", "🦜", "\x00", "{}"])
async def test_a_query_without_words_finds_nothing(recall, query):
    await recall.add(THREAD, SMALL_TALK)
    assert await recall.search(THREAD, query) == []
    assert await recall.within(THREAD, query, 1_000) == []


async def test_a_thread_that_is_not_there_has_nothing(recall):
    assert await recall.search(THREAD, "anything") == []
    assert await recall.remove(THREAD, ["a"]) == 0
    await recall.add(THREAD, [])
    with pytest.raises(InputError):
        await recall.search("", "anything")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Das Mädchen heißt Jürgen nicht", "madchen"),
        ("我们去年在上海买了一只猫", "上海"),
        ("Мы живём в Казани", "Казани"),
        ("x" * 5_000 + " needle " + "y" * 5_000, "needle"),
        ("word " * 40_000 + "needle", "needle"),
    ],
)
async def test_other_scripts_and_giant_messages_are_found_and_come_back_whole(recall, text, query):
    await recall.add(THREAD, [*SMALL_TALK, said("it", text)])
    [found] = await recall.search(THREAD, query, 1)
    assert found.message == said("it", text)


async def test_every_kind_of_message_is_found_and_comes_back(recall):
    call = {"name": "weather", "args": {"city": "Lyon"}, "id": "1", "type": "tool_call"}
    messages = [
        AIMessage("", id="calls", tool_calls=[call]),
        ToolMessage("Rain", id="answers", tool_call_id="1", name="weather"),
        HumanMessage([{"type": "text", "text": "My garden"}], id="blocks"),
        HumanMessage("Odd", id="odd", additional_kwargs={"when": timedelta(1), "n": float("nan")}),
    ]
    await recall.add(THREAD, messages)
    found = {one.message.id: one.message for one in await recall.search(THREAD, "Lyon rain garden")}
    assert [found[m.id] for m in messages[:3]] == messages[:3]
    assert found["odd"].text == "Odd"


async def test_images_are_not_kept_a_second_time(recall, client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 50_000}}
    await recall.add(THREAD, [HumanMessage([{"type": "text", "text": "A cat"}, image], id="cat")])
    [found] = await recall.search(THREAD, "cat", 1)
    assert found.message.content[1] == {"type": "text", "text": "[image_url]"}
    assert await client.memory_usage("treadle:main:{a%20thread}:recall:docs") < 5_000


async def test_messages_without_an_id_are_known_by_what_they_say(recall):
    await recall.add(THREAD, [HumanMessage("a boat"), HumanMessage("a boat"), AIMessage("a boat")])
    assert len(await recall.search(THREAD, "boat")) == 2


@pytest.mark.parametrize("tokens", [-1, 0, 7, 8, 50, 400])
async def test_what_is_found_fits_the_budget(recall, tokens):
    messages = [said(str(n), "boat " * (n % 13 + 1)) for n in range(60)]
    await recall.add(THREAD, messages)
    found = [one.message for one in await recall.within(THREAD, "boat", tokens)]
    assert count_tokens_approximately(found) <= max(tokens, 0)
    assert bool(found) == (tokens >= 50)


async def test_the_keys_of_a_thread_share_its_tag_and_live_as_long(client, key_leaks):
    recall = Recall(client, Toy(), ttl=timedelta(hours=1))
    await recall.add(THREAD, SMALL_TALK)
    await recall.search(THREAD, "nothing")
    keys = await client.keys("*")
    assert keys
    assert all(key.startswith(b"treadle:main:{a%20thread}:recall") for key in keys)


async def test_it_is_still_there_for_another_process(client, redis_server):
    await Recall(client).add(THREAD, [said("a", "a boat")])
    async with connect(redis_server.url) as other:
        assert await ids(Recall(other), "boat") == ["a"]
        assert await ids(Recall(other, prefix="treadle:other:"), "boat") == []
        assert await ids(Recall(other), "boat", thread="another") == []


async def test_two_clients_add_to_one_thread_at_once(client, redis_server):
    async with connect(redis_server.url) as other:
        adds = [
            Recall(one).add(THREAD, [said(f"{name}{n}", f"boat {name}{n}")])
            for n in range(20)
            for name, one in (("a", client), ("b", other), ("same", client), ("same", other))
        ]
        await asyncio.gather(*adds)
    assert len(await ids(Recall(client), "boat", 100)) == 60


async def test_it_works_on_a_cluster(cluster_url):
    async with connect(cluster_url) as client:
        recall = Recall(client, Toy(), ttl=timedelta(hours=1))
        for thread in ("one", "two", "three{x}"):
            await recall.add(thread, [said("a", f"a boat {thread}"), said("b", "bread")])
            assert (await ids(recall, "boat", thread=thread))[0] == "a"
            assert await recall.remove(thread, ["a"]) == 1
            assert await recall.forget(thread) == 1


class Toy(Embeddings):
    """Means colours by its vectors, while it is up."""

    def __init__(self, model: str = "toy") -> None:
        self.model = model
        self.down = False
        self.made: list[str] = []

    def embed_documents(self, texts):
        if self.down:
            raise ConnectionError("the provider is down")
        self.made += texts
        return [self._vector(text) for text in texts]

    def embed_query(self, text):
        return self.embed_documents([text])[0]

    def _vector(self, text):
        red = any(word in text for word in ("crimson", "scarlet", "red"))
        return [9.0 if red else 0.0, 0.0 if red else 9.0, 1.0]


COLOURS = [*SMALL_TALK[:4], said("rose", "It was crimson"), *SMALL_TALK[4:]]


async def test_a_message_is_found_by_its_meaning(client):
    recall = Recall(client, Toy())
    await recall.add(THREAD, COLOURS)
    assert (await ids(recall, "scarlet"))[0] == "rose"


async def test_while_embeddings_are_down_words_find_it_and_vectors_are_made_later(client):
    toy = Toy()
    recall = Recall(client, toy)
    toy.down = True
    await recall.add(THREAD, COLOURS)
    assert (await ids(recall, "crimson"))[0] == "rose"
    assert await ids(recall, "scarlet") == []
    toy.down = False
    assert (await ids(recall, "scarlet"))[0] == "rose"
    toy.made.clear()
    assert (await ids(recall, "scarlet"))[0] == "rose"
    assert toy.made == ["scarlet"]


async def test_embeddings_of_another_model_make_their_own_vectors(client):
    await Recall(client, Toy("before")).add(THREAD, COLOURS)
    after = Toy("after")
    assert (await ids(Recall(client, after), "scarlet"))[0] == "rose"
    assert len(after.made) == 1 + len(COLOURS)


async def test_more_vectors_than_one_search_makes_are_made_by_the_next_ones(client):
    toy = Toy()
    await Recall(client).add(THREAD, [said(str(n), f"number {n}") for n in range(150)])
    for expected in (64, 64, 22, 0):
        toy.made.clear()
        await Recall(client, toy).search(THREAD, "number")
        assert len(toy.made) == 1 + expected


TEXTS = st.sampled_from(["boat", "bread", "a boat of bread", "", "🦜", "zebra " * 300])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(st.sampled_from("abcde"), TEXTS), max_size=4)),
        st.tuples(st.just("remove"), st.lists(st.sampled_from("abcde"), max_size=3)),
    ),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_what_is_found_is_what_was_added_last(client, steps):
    recall = Recall(client, Toy())
    await recall.forget(THREAD)
    model: dict[str, str] = {}
    for step, what in steps:
        if step == "add":
            await recall.add(THREAD, [said(id_, text) for id_, text in what])
            model |= dict(what)
        else:
            assert await recall.remove(THREAD, what) == len(set(what) & set(model))
            model = {id_: text for id_, text in model.items() if id_ not in what}
    found = await recall.search(THREAD, "boat bread", 10)
    assert {one.message.id: one.message.text for one in found} == model
