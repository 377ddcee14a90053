"""Whatever a graph does to its messages, what is read back equals what it had."""

import asyncio
import copy
from typing import Annotated, Any, TypedDict

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.graph import START, StateGraph, add_messages
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from treadle.memory.saver import RedisSaver, fenced, writing_behind

# Equal in Python, and not the same data.
scalars = st.sampled_from([0, False, 0.0, 1, True, 1.0, "1", "", None, -(2**40), 0.5])
data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
contents = st.text(max_size=8) | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=4)}), max_size=2
)
ids = st.sampled_from([f"m{n}" for n in range(12)])
extras = st.dictionaries(st.sampled_from(["x", "y"]), data, max_size=2)
calls = st.lists(
    st.fixed_dictionaries(
        {"name": st.just("look"), "args": extras, "id": st.just("c1"), "type": st.just("tool_call")}
    ),
    max_size=1,
)


@st.composite
def messages(draw: st.DrawFn) -> AnyMessage:
    known: dict[str, Any] = {
        "content": draw(contents),
        "id": draw(ids),
        "additional_kwargs": draw(extras),
    }
    kind = draw(st.sampled_from([HumanMessage, SystemMessage, AIMessage, ToolMessage]))
    if kind is ToolMessage:
        return ToolMessage(**known, tool_call_id="c1", artifact=draw(data))
    if kind is AIMessage:
        return AIMessage(**known, tool_calls=draw(calls))
    return kind(**known)


NOTHING: dict[str, Any] = {"messages": []}


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    other: Annotated[list[AnyMessage], add_messages]


class History(RuleBasedStateMachine):
    """One thread under every kind of change, beside what each checkpoint must hold."""

    client: redis.Redis
    number = 0

    @initialize()
    def begin(self) -> None:
        History.number += 1
        self.thread_id = f"thread {History.number}"
        self.expected: dict[str, str] = {}
        self.saver = RedisSaver(self.client)
        self.head: dict[str, Any] = {"configurable": {"thread_id": self.thread_id}}
        self.update: Any = None
        self.is_held = False

    def graph(self, saver: RedisSaver) -> Any:
        builder = StateGraph(State)
        builder.add_node("node", self.step)
        builder.add_edge(START, "node")
        return builder.compile(checkpointer=saver)

    def step(self, state: State) -> Any:
        return self.update(state)

    def turn(self, update: Any) -> None:
        self.update = update
        graph = self.graph(self.saver)
        live = asyncio.run(self.held(graph)) if self.is_held else graph.invoke(NOTHING, self.head)
        found = graph.get_state(self.thread)
        self.expected[found.config["configurable"]["checkpoint_id"]] = told(live)
        self.head = self.thread
        assert told(found.values) == told(live)
        self.reads_back()
        # A reader may do what it likes with what it was given.
        for message in live["messages"]:
            message.additional_kwargs["spoilt"] = True
            message.content = "spoilt"
        assert told(self.graph(self.saver).get_state(self.thread).values) == told(found.values)

    async def held(self, graph: Any) -> Any:
        with writing_behind("attempt") as behind:
            live = await graph.ainvoke(NOTHING, fenced(self.head, "attempt"))
            await behind.settled()
        return live

    @rule()
    def let_checkpoints_go_together(self) -> None:
        self.is_held = not self.is_held

    def reads_back(self) -> None:
        fresh = self.graph(RedisSaver(self.client))
        for checkpoint_id, told_then in self.expected.items():
            assert told(fresh.get_state(self.at(checkpoint_id)).values) == told_then

    @property
    def thread(self) -> dict[str, Any]:
        return {"configurable": {"thread_id": self.thread_id}}

    def at(self, checkpoint_id: str) -> dict[str, Any]:
        return {"configurable": {"thread_id": self.thread_id, "checkpoint_id": checkpoint_id}}

    @rule(new=st.lists(messages(), max_size=4), channel=st.sampled_from(["messages", "other"]))
    def add_or_replace(self, new: list[AnyMessage], channel: str) -> None:
        self.turn(lambda _: {channel: new})

    @rule(number=st.integers(0, 9))
    def remove(self, number: int) -> None:
        self.turn(
            lambda state: {
                "messages": [RemoveMessage(m.id) for m in state["messages"][number : number + 2]]
            }
        )

    @rule(new=st.lists(messages(), max_size=3))
    def remove_all(self, new: list[AnyMessage]) -> None:
        self.turn(lambda _: {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *new]})

    @rule(number=st.integers(0, 9), value=data)
    def change_in_place(self, number: int, value: Any) -> None:
        def update(state: State) -> dict[str, Any]:
            for message in state["messages"][number : number + 1]:
                held = message.additional_kwargs.get("x")
                if isinstance(held, list | dict):
                    held.clear()
                message.additional_kwargs["y"] = [held, copy.deepcopy(value)]
                if isinstance(message.content, list):
                    message.content.append("more")
            return {"messages": []}

        self.turn(update)

    @rule()
    def move_to_another_channel(self) -> None:
        self.turn(lambda state: {"other": state["messages"][-2:]})

    @rule()
    def use_a_fresh_saver(self) -> None:
        self.saver = RedisSaver(self.client)

    @rule()
    def use_a_forgetful_saver(self) -> None:
        self.saver = RedisSaver(self.client)
        self.saver._cache._max_bytes = 0

    @rule()
    def prune(self) -> None:
        self.saver.prune([self.thread_id])
        newest = self.graph(self.saver).get_state(self.thread).config["configurable"]
        kept = newest.get("checkpoint_id")
        self.expected = {name: told for name, told in self.expected.items() if name == kept}
        self.reads_back()

    @precondition(lambda self: self.expected)
    @rule(choice=st.randoms(use_true_random=False))
    def travel_back(self, choice: Any) -> None:
        self.head = self.at(choice.choice(sorted(self.expected)))

    @precondition(lambda self: self.expected)
    @rule(choice=st.randoms(use_true_random=False), new=st.lists(messages(), max_size=2))
    def fork(self, choice: Any, new: list[AnyMessage]) -> None:
        past = self.at(choice.choice(sorted(self.expected)))
        graph = self.graph(self.saver)
        before = copy.deepcopy(graph.get_state(past).values)
        self.head = graph.update_state(past, {"messages": new}, as_node="node")
        merged = add_messages(before.get("messages", []), new)
        found = self.graph(RedisSaver(self.client)).get_state(self.head)
        assert told(found.values) == told({**before, "messages": merged})
        self.expected[found.config["configurable"]["checkpoint_id"]] = told(found.values)
        self.reads_back()


def told(values: dict[str, Any]) -> str:
    """Tell all of a state, types too; dicts that differ in the order of their keys are equal."""
    return repr(
        {
            channel: [(type(m), ordered(m.model_dump())) for m in values.get(channel, [])]
            for channel in ("messages", "other")
        }
    )


def ordered(value: Any) -> Any:
    """Put the keys of dicts in order, whatever their types."""
    if isinstance(value, dict):
        return sorted(((repr(k), ordered(v)) for k, v in value.items()), key=lambda pair: pair[0])
    return [ordered(one) for one in value] if isinstance(value, list) else value


History.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestAnyHistory(History.TestCase):
    @pytest.fixture(autouse=True)
    def _redis(self, client: redis.Redis) -> None:
        History.client = client
