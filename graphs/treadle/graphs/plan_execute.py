"""Plan and execute: a plan whose independent steps run in parallel, and another where it fails.

Wang et al., "Plan-and-Solve Prompting", ACL 2023, https://arxiv.org/abs/2305.04091, for planning
first; Kim et al., "An LLM Compiler for Parallel Function Calling", ICML 2024,
https://arxiv.org/abs/2312.04511, for steps that depend on each other.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from treadle.core.errors import BudgetExceededError
from treadle.graphs._guards import still_out_of_room
from treadle.graphs._parts import Graph, GraphParts
from treadle.graphs._plans import SCHEMA, Step, planned, tool_list
from treadle.graphs._reasoning import (
    Branch,
    PatternState,
    Reasoner,
    Shown,
    ThoughtState,
    gather,
    so_far,
    within,
)
from treadle.graphs._worker import Worker
from treadle.memory.window import since_last_question


class PlanExecuteOptions(BaseModel):
    """Options of the `plan_execute` graph.

    Attributes:
        max_steps: steps of one plan.
        rounds: rounds of tool calls in one step.
        replans: how often it may plan again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_steps: int = Field(default=5, ge=1, le=20)
    rounds: int = Field(default=4, ge=1, le=50)
    replans: int = Field(default=1, ge=0, le=5)


class Report(TypedDict):
    """What came of a step.

    Attributes:
        id: the step's.
        text: what it found.
    """

    id: str
    text: str


class _Task(Branch):
    step: str


class _State(PatternState, total=False):
    steps: list[Step]
    reports: Annotated[list[Report], gather]
    plans: int


def plan_execute(parts: GraphParts, options: PlanExecuteOptions | None = None) -> Graph:
    """Return a graph that plans, lets its tools work on the steps, and answers from the reports.

    A turn makes ``1 + s + t + v + 1`` model calls, repeated attempts aside: the plan, one for each
    of the ``s`` steps, one for each of the ``t`` rounds of tool calls in them, the ``v`` times it
    looks whether to plan again, and the answer. ``v`` is at most ``replans``, ``s`` at most
    ``max_steps * (v + 1)`` and ``t`` at most ``s * rounds``. Without a usable plan the question is
    the one step, and ``v`` is 0; a model that fills no schemas is not asked for one.

    Args:
        parts: the model, the tools and the rest.
        options: its bounds.
    """
    nodes = _Nodes(parts, options or PlanExecuteOptions())
    graph = StateGraph(_State, output_schema=ThoughtState)
    graph.add_node("plan", nodes.plan, destinations=("execute", "answer"))
    graph.add_node("execute", nodes.execute, input_schema=_Task)
    graph.add_node("check", nodes.check, destinations=("execute", "answer"))
    graph.add_node("answer", nodes.answer)
    graph.add_edge(START, "plan")
    graph.add_edge("execute", "check")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=parts.checkpointer, store=parts.store, name=parts.name)


class _Nodes:
    def __init__(self, parts: GraphParts, bounds: PlanExecuteOptions) -> None:
        self._parts = parts
        self._bounds = bounds
        self._reasoner = Reasoner(parts)
        self._worker = Worker(parts, bounds.rounds)

    async def plan(self, state: _State) -> Command[Any]:
        shown = await self._reasoner.shown(state, "plan", tool_list(self._parts.tools), SCHEMA)
        steps, stopped = await self._planned(shown, ())
        plans = 1
        if not steps and not stopped:  # There is no plan to be had; the question does for one.
            steps = [Step(id="1", task=_question(state), needs=[])]
            plans += self._bounds.replans
        update = {**shown.update, "steps": steps, "reports": None, "plans": plans}
        return Command(
            update={**update, "stopped": stopped or None}, goto=_ready(steps, []) or "answer"
        )

    async def execute(self, state: _Task) -> dict[str, Any]:
        if reason := await still_out_of_room():
            return {"stopped": reason}
        found = await self._worker.run(state["prompt"])
        return {
            "messages": found.steps,
            "reports": [Report(id=state["step"], text=found.text)],
            "stopped": found.stopped,
        }

    async def check(self, state: _State) -> Command[Any]:
        if state["stopped"]:
            return Command(goto="answer")
        if sends := _ready(state["steps"], state["reports"]):
            return Command(goto=sends)
        if state["plans"] > self._bounds.replans:
            return Command(goto="answer")
        return await self._replan(state)

    async def _replan(self, state: _State) -> Command[Any]:
        reports = _reported(state, self._reasoner.room // 2)
        working = f"Reports:\n\n{reports}\n\n{tool_list(self._parts.tools)}"
        shown = await self._reasoner.shown(state, "replan", working, SCHEMA)
        steps, stopped = await self._planned(shown, [step["id"] for step in state["steps"]])
        steps = [*state["steps"], *steps]
        plans = state["plans"] + 1
        update = {**shown.update, "steps": steps, "plans": plans, "stopped": stopped}
        return Command(update=update, goto=_ready(steps, state["reports"]) or "answer")

    async def _planned(self, shown: Shown, known: Sequence[str]) -> tuple[list[Step], str]:
        """Return the steps of a plan, and why it could not be asked for."""
        if not self._reasoner.fills(SCHEMA):
            return [], ""
        try:
            data = await self._reasoner.fill(shown.prompt, SCHEMA)
        except BudgetExceededError as error:
            return [], f"budget: {error.message}"
        return planned(data, self._bounds.max_steps, known), ""

    async def answer(self, state: _State) -> dict[str, Any]:
        reports = [report["text"] for report in state["reports"]]
        room = self._reasoner.room
        ending = await self._reasoner.answer(
            state,
            "conclude",
            "\n".join(within(reports, room)),
            best=so_far(reports),
            stopped=state["stopped"],
            reasoning=_reported(state, room),
        )
        return {**ending, "steps": [], "reports": None, "stopped": None}


def _ready(steps: Sequence[Step], reports: Sequence[Report]) -> list[Send]:
    """Send the steps that are not done and need nothing that is not."""
    done = {report["id"]: report["text"] for report in reports}
    return [
        Send("execute", _Task(step=step["id"], prompt=[_asked(step, done)]))
        for step in steps
        if step["id"] not in done and all(need in done for need in step["needs"])
    ]


def _asked(step: Step, done: Mapping[str, str]) -> HumanMessage:
    known = [f"Known from before ({need}):\n{done[need]}" for need in step["needs"]]
    return HumanMessage("\n\n".join([step["task"], *known]))


def _reported(state: _State, room: int) -> str:
    tasks = {step["id"]: step["task"] for step in state["steps"]}
    texts = [f"{tasks[one['id']]}\n{one['text']}" for one in state["reports"]]
    return "\n\n".join(within(texts, room))


def _question(state: _State) -> str:
    return str(since_last_question(state["messages"])[0].text)
