"""The call boundary: what a gate is asked and told, in every way a call can be made and end."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from treadle.core import boundary
from treadle.core.calls import Call, CallKind, CallSpec, Effect, Outcome, Permit, Position, Purpose
from treadle.core.errors import BoundaryError, BudgetExceededError
from treadle.core.usage import TOOL_CALL, Usage

SPEC = CallSpec(CallKind.TOOL, "double", Effect.READ, {"number": 3})


class Notes:
    """A gate that writes down what it is asked and told, and may answer or refuse."""

    def __init__(self, answer: Outcome | None = None, refusal: Exception | None = None) -> None:
        self.asked: list[Call] = []
        self.told: list[Outcome] = []
        self.heard: list[tuple[str, Purpose]] = []
        self._answer = answer
        self._refusal = refusal

    async def before(self, call: Call) -> Outcome | None:
        self.asked.append(call)
        if self._refusal is not None:
            raise self._refusal
        return self._answer

    async def after(self, call: Call, outcome: Outcome) -> Outcome:
        self.told.append(outcome)
        return outcome

    def delta(self, call: Call, text: str, purpose: Purpose) -> None:
        self.heard.append((text, purpose))


async def six(_: boundary.Execution) -> int:
    return 6


async def never(_: boundary.Execution) -> int:
    raise AssertionError("this call must not be made")


def usage(_: object):
    return TOOL_CALL


def opened(gate):
    return boundary.boundary(gate, thread_id="thread", run_id="run")


async def test_outside_a_boundary_a_call_is_simply_made():
    assert not boundary.is_open()
    assert await boundary.acall(SPEC, six, usage) == 6


async def test_a_gate_is_asked_before_and_told_after():
    gate = Notes()
    with opened(gate):
        assert await boundary.acall(SPEC, six, usage) == 6
    assert [call.name for call in gate.asked] == ["double"]
    assert [(outcome.value, outcome.usage) for outcome in gate.told] == [(6, TOOL_CALL)]
    assert gate.told[0].seconds > 0


async def test_a_known_outcome_is_used_and_nothing_is_called():
    gate = Notes(answer=Outcome(value=7))
    with opened(gate):
        assert await boundary.acall(SPEC, never, usage) == 7
    assert [outcome.value for outcome in gate.told] == [7]


async def test_a_known_failure_is_raised_again():
    gate = Notes(answer=Outcome(error=ValueError("as it failed before")))
    with opened(gate), pytest.raises(ValueError, match="as it failed before"):
        await boundary.acall(SPEC, never, usage)


async def test_a_refused_call_is_not_made_and_not_told_of():
    gate = Notes(refusal=BudgetExceededError("no more"))
    with opened(gate), pytest.raises(BudgetExceededError):
        await boundary.acall(SPEC, never, usage)
    assert gate.told == []


async def test_a_failure_is_told_and_raised_with_what_it_cost():
    async def fail(_):
        raise KeyError("lost")

    gate = Notes()
    with opened(gate), pytest.raises(KeyError):
        await boundary.acall(SPEC, fail, usage)
    assert isinstance(gate.told[0].error, KeyError)
    assert gate.told[0].usage.tool_calls == 1


async def test_a_cancelled_call_is_told_of():
    started = asyncio.Event()

    async def hang(_):
        started.set()
        await asyncio.Event().wait()

    gate = Notes()
    with opened(gate):
        task = asyncio.create_task(boundary.acall(SPEC, hang, usage))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert isinstance(gate.told[0].error, asyncio.CancelledError)


async def test_a_plain_function_in_a_thread_goes_through_the_same_gate():
    gate = Notes()
    with opened(gate):
        assert await asyncio.to_thread(boundary.call, SPEC, lambda _: 6, usage) == 6
    assert len(gate.asked) == len(gate.told) == 1


async def test_a_plain_call_on_the_event_loop_itself_is_refused_with_advice():
    with opened(Notes()), pytest.raises(BoundaryError, match="ainvoke"):
        boundary.call(SPEC, lambda _: 6, usage)


async def test_many_threads_at_once_do_not_wait_for_each_other_for_ever():
    gate = Notes()
    with opened(gate):
        calls = [asyncio.to_thread(boundary.call, SPEC, lambda _: 6, usage) for _ in range(50)]
        assert await asyncio.gather(*calls) == [6] * 50
    assert len({call.id for call in gate.asked}) == 50


async def test_the_insides_of_a_call_pass_straight_through():
    async def outer(_):
        with boundary.suspended():
            return await boundary.acall(SPEC, six, usage)

    gate = Notes()
    with opened(gate):
        assert await boundary.acall(SPEC, outer, usage) == 6
    assert len(gate.asked) == 1


async def test_calls_made_while_thinking_are_marked_as_thought():
    gate = Notes()
    with opened(gate):
        with boundary.thinking():
            await boundary.acall(SPEC, six, usage)
        await boundary.acall(SPEC, six, usage)
    assert [call.purpose for call in gate.asked] == [Purpose.THOUGHT, Purpose.ANSWER]


async def test_pieces_of_an_answer_reach_the_gate():
    async def speak(execution):
        execution.delta("hel", Purpose.ANSWER)
        execution.delta("lo", Purpose.ANSWER)
        return "hello"

    gate = Notes()
    with opened(gate):
        await boundary.acall(SPEC, speak, usage)
    assert gate.heard == [("hel", Purpose.ANSWER), ("lo", Purpose.ANSWER)]


async def letters(_):
    for letter in "abc":
        yield letter


def stream(source=letters):
    return boundary.astream(SPEC, source, "".join, lambda value: value, usage)


async def test_a_streamed_call_yields_its_pieces_and_is_told_whole():
    gate = Notes()
    with opened(gate):
        assert [piece async for piece in stream()] == ["a", "b", "c"]
    assert gate.told[0].value == "abc"


async def test_a_known_outcome_of_a_streamed_call_comes_in_one_piece():
    with opened(Notes(answer=Outcome(value="abc"))):
        assert [piece async for piece in stream(never)] == ["abc"]


async def test_a_stream_that_is_left_early_is_told_of():
    gate = Notes()
    with opened(gate):
        pieces = stream()
        assert await anext(pieces) == "a"
        await pieces.aclose()
    assert isinstance(gate.told[0].error, GeneratorExit)


async def test_pieces_received_in_a_thread_are_told_on_the_loop_before_the_end():
    loop, told = asyncio.get_running_loop(), []

    class Listening(Notes):
        def delta(self, call: Call, text: str, purpose: Purpose) -> None:
            assert asyncio.get_running_loop() is loop
            told.append(text)

        async def after(self, call: Call, outcome: Outcome) -> Outcome:
            told.append(f"end: {outcome.value}")
            return outcome

    def receive(execution):
        for piece in "abc":
            execution.delta(piece, Purpose.ANSWER)
            yield piece

    with opened(Listening()):
        await asyncio.to_thread(
            lambda: list(boundary.stream(SPEC, receive, "".join, str, lambda _: Usage()))
        )
    assert told == ["a", "b", "c", "end: abc"]


async def test_in_a_chain_the_first_that_answers_wins_and_only_those_asked_are_told():
    first, second, third = Notes(), Notes(answer=Outcome(value=1)), Notes()
    with opened(boundary.GateChain([first, second, third])):
        assert await boundary.acall(SPEC, never, usage) == 1
    assert [len(gate.told) for gate in (first, second, third)] == [1, 1, 0]
    assert third.asked == []


async def test_in_a_chain_those_before_a_refusal_are_told_of_it():
    first, second = Notes(), Notes(refusal=BudgetExceededError("no more"))
    with opened(boundary.GateChain([first, second])), pytest.raises(BudgetExceededError):
        await boundary.acall(SPEC, never, usage)
    assert isinstance(first.told[0].error, BudgetExceededError)
    assert second.told == []


async def test_parallel_branches_and_subgraphs_have_positions_of_their_own():
    """Each node's calls count from 0, whatever its siblings do, and carry the node's path."""

    async def node(state):
        await boundary.acall(SPEC, six, usage)
        await boundary.acall(SPEC, six, usage)
        return {"messages": [AIMessage("done")]}

    inner = StateGraph(MessagesState).add_node("leaf", node).add_edge(START, "leaf").compile()
    graph = StateGraph(MessagesState)
    for name in ("left", "right"):
        graph.add_node(name, node)
        graph.add_edge(START, name)
    graph.add_node("inner", inner)
    graph.add_edge(START, "inner")
    gate = Notes()
    with opened(gate):
        await graph.compile().ainvoke({"messages": [HumanMessage("go")]})
    places = sorted((call.position.path, call.position.ordinal) for call in gate.asked)
    assert places == [
        ("inner|leaf", 0), ("inner|leaf", 1), ("left", 0), ("left", 1), ("right", 0), ("right", 1),
    ]  # fmt: skip
    assert len({call.id for call in gate.asked}) == 6


async def test_a_plain_node_of_a_graph_goes_through_the_gate_too():
    def node(state):
        boundary.call(SPEC, lambda _: 6, usage)
        return {"messages": [AIMessage("done")]}

    graph = StateGraph(MessagesState).add_node("plain", node).add_edge(START, "plain").compile()
    gate = Notes()
    with opened(gate):
        await graph.ainvoke({"messages": [HumanMessage("go")]})
    assert [call.position.path for call in gate.asked] == ["plain"]


def call_at(position: Position, request=None) -> Call:
    return Call(position, CallKind.TOOL, "double", Effect.READ, request or {"number": 3})


HERE = Position("thread", "run", "node:1", "node", 0, 1, 0)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), json_values, max_size=4))
def test_the_pieces_follow_from_the_content_alone(request):
    elsewhere = Position("thread 2", "run 2", "node:2", "node", 0, 9, 4)
    backwards = dict(reversed(request.items()))
    assert call_at(HERE, request).pieces == call_at(elsewhere, backwards).pieces


def test_the_pieces_tell_other_content_and_leave_message_ids_out():
    def asking(text, message_id):
        return call_at(HERE, {"messages": [HumanMessage(text, id=message_id)]}).pieces

    assert asking("hello", "1") == asking("hello", "2")
    assert asking("hello", "1") != asking("goodbye", "1")


def test_an_idempotency_key_is_the_same_for_the_same_position_only():
    other = Position("thread", "run", "node:1", "node", 0, 1, 1)
    assert call_at(HERE).idempotency_key == call_at(HERE).idempotency_key
    assert call_at(HERE).idempotency_key != call_at(other).idempotency_key


async def test_a_decision_is_made_once_and_found_again():
    async def read():
        return ["read"]

    assert await boundary.decide("memory.recall", read) == ["read"]
    notes = Notes()
    with opened(notes):
        assert await boundary.decide("memory.recall", read, {"query": "q"}) == ["read"]
    [call] = notes.asked
    assert (call.kind, call.name, call.effect) == (CallKind.DECISION, "memory.recall", Effect.READ)
    assert call.request == {"query": "q"}
    assert notes.told[0].usage == Usage()
    with opened(Notes(Outcome(value=["recorded"]))):
        assert await boundary.decide("memory.recall", read) == ["recorded"]


async def test_the_terms_of_all_gates_hold_together():
    class Allows(Notes):
        def __init__(self, permit: Permit) -> None:
            super().__init__()
            self._permit = permit

        async def before(self, call: Call) -> Permit:
            return self._permit

    async def terms(execution: boundary.Execution) -> Permit:
        return execution.permit

    gates = [Allows(Permit(max_output_tokens=9)), Allows(Permit({"number": 4}, 5)), Notes()]
    with opened(boundary.GateChain(gates)):
        assert await boundary.acall(SPEC, terms, usage) == Permit({"number": 4}, 5)


async def test_the_graph_sees_what_a_gate_makes_of_an_outcome():
    class Redacts(Notes):
        async def after(self, call: Call, outcome: Outcome) -> Outcome:
            return replace(outcome, value="[redacted]")

    with opened(boundary.GateChain([Notes(), Redacts()])):
        assert await boundary.acall(SPEC, six, usage) == "[redacted]"


@pytest.mark.parametrize("is_watched", [True, False])
async def test_a_call_knows_whether_nobody_listens_to_its_pieces(is_watched):
    async def watched(execution: boundary.Execution) -> bool:
        return execution.is_watched

    with boundary.boundary(Notes(), thread_id="t", run_id="r", is_watched=is_watched):
        assert await boundary.acall(SPEC, watched, usage) is is_watched


async def test_named_calls_keep_their_identity_in_whatever_order_they_come():
    def named(key):
        return replace(SPEC, key=key)

    ids = []
    for order in ("ab", "ba"):
        notes = Notes()
        with opened(notes):
            for key in order:
                await boundary.acall(named(key), six, usage)
            await boundary.acall(SPEC, six, usage)
        ids.append({call.position.task[-1:]: call.id for call in notes.asked})
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == 3
