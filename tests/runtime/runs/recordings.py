"""Runs of every kind to replay: agents, scripts and questions that follow from a number."""

import random
from dataclasses import dataclass

from treadle.agents import Agent, Budget
from treadle.runtime.testing import broken_call, call, calls, rate_limited, say

WORDS = [
    "loom",
    "shaft",
    "treadle",
    "warp",
    "weft",
    "reed",
    "heddle",
    "shuttle",
    "bobbin",
    "selvedge",
    "linen",
    "wool",
]
COLLEAGUES = ("spinner", "weaver")
"""The agents that others give work to."""
TOOL_NAMES = (
    "calculate",
    "remember",
    "tools.py:weigh",
    "tools.py:send",
    "tools.py:ask_person",
)
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
TOOLS = '''
def weigh(thing: str) -> str:
    """Say what something weighs.

    Args:
        thing: what.
    """
    if len(thing) % 5 == 0:
        raise ValueError(f"{thing} has no weight")
    return f"{thing} weighs {len(thing)} g"


def send(to: str, text: str) -> str:
    """Send a message.

    Args:
        to: whom.
        text: what.
    """
    return f"sent to {to}"


def ask_person(question: str) -> str:
    """Ask the person.

    Args:
        question: what.
    """
    from langgraph.types import interrupt

    return f"the person said {interrupt(question)}"
'''


DRAFTING = """
state:
  parts: {type: array}
  notes: {type: array, reduce: append}
  draft: {type: string}
nodes:
  split: {prompt: "Write down, as a numbered list, what has to be weighed.", to: parts}
  look: {tool: weigh, arguments: {thing: "{part}"}, to: notes}
  write: {prompt: Answer the question from what was found., to: draft}
  again: {prompt: "Say it once more, in short: {draft}", max_runs: 2}
edges:
  - {from: start, to: split}
  - {from: split, each: parts, as: part, to: look, most: 4, else: write}
  - {from: look, to: write}
  - {from: write, to: again}
  - {from: again, to: end}
"""
"""A graph in YAML, with branches made by what the model says."""


@dataclass(frozen=True)
class Case:
    """One conversation to record."""

    agent: Agent
    questions: list[str]
    user: str | None
    random: random.Random

    def reply(self, request):
        """Return what the model says: now and then it calls tools, fails, or errs."""
        dice = self.random
        asked = len([one for one in request.messages if one.get("role") == "assistant"])
        if request.response_format is not None:
            return say('{"answer": "a loom", "sure": true}')
        if "numbered list" in str(request.messages):
            return self._list()
        if request.tool_names and asked < 14 and dice.random() < 0.6:
            return dice.choice([self._one, self._several, self._broken])()
        if dice.random() < 0.08:
            return rate_limited(retry_after_seconds=0.001)
        return say(self._sentence(dice.randint(3, 60)), reasoning=dice.choice(["", "I think."]))

    def _one(self):
        names = [*self.random.choices(WORDS, k=2)]
        return self.random.choice(
            [
                call("calculate", expression=f"{len(names[0])}*7"),
                call("weigh", thing=names[1]),
                call("send", to=names[0], text=self._sentence(5)),
                call("remember", text=self._sentence(4), about=names[0]),
                call("ask_person", question=f"Which {names[0]}?"),
            ]
        )

    def _several(self):
        picked = self.random.sample(WORDS, self.random.randint(2, 4))
        return calls(*(call("weigh", thing=word) for word in picked), text="I weigh them.")

    def _broken(self):
        return broken_call("weigh", '{"thing": ')

    def _list(self):
        words = self.random.choices(WORDS, k=self.random.randint(1, 5))
        return say("\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)))

    def _sentence(self, count):
        return " ".join(self.random.choices(WORDS, k=count)).capitalize() + "."


def case(graph: str, number: int) -> Case:
    """Return the conversation of that number."""
    dice = random.Random(f"{graph} {number}")
    budget = Budget(
        model_calls=dice.choice([None, None, 3, 8]), tokens=dice.choice([None, None, 30_000])
    )
    agent = Agent(
        name=f"agent{number}",
        graph=graph,
        prompt=dice.choice(["", "Be brief."]),
        tools=TOOL_NAMES if graph in {"react", "drafting"} else (),
        agents=COLLEAGUES if graph in {"route", "supervisor"} else (),
        memory={"window_tokens": dice.choice([1_500, 16_000]), "recall": dice.random() < 0.7},
        budget=budget,
        output=SCHEMA if dice.random() < 0.15 else None,
    )
    questions = [
        f"What is a {dice.choice(WORDS)}? " + " ".join(dice.choices(WORDS, k=dice.choice([3, 300])))
        for _ in range(dice.choice([1, 1, 2, 5]))
    ]
    return Case(agent, questions, dice.choice([None, "ada"]), random.Random(number))
