"""A project with a graph file that uses everything a graph file can say, and a model for it."""

import json

from treadle.runtime.testing import say

GRAPH = """\
description: Looks parts up side by side, asks a helper, drafts, checks, and answers.
state:
  topic: {type: string}
  parts: {type: array}
  notes: {type: array, reduce: append}
  helped: {type: string}
  draft: {type: string}
  verdict: {type: object}
  rounds: {type: integer, reduce: add}
  asked: {type: array, reduce: append, keep: true}
  tone: {type: string, default: plain}
nodes:
  classify:
    prompt: |
      CLASSIFY. Say in one word what the question is about, such as "looms" or "chat", and nothing
      else: no {{braces}}, no explanation, no greeting.
    to: topic
  split: {prompt: SPLIT into a list., to: parts}
  look: {tool: look_up, arguments: {topic: "{part}"}, to: notes}
  help: {agent: helper, task: "Say something about {topic}.", to: helped}
  write: {prompt: "WRITE from {notes} and {helped}; {verdict.reason}", to: draft}
  check:
    prompt: "CHECK {draft}"
    conversation: false
    model: one
    to: verdict
    max_runs: 2
    output:
      title: verdict
      type: object
      properties: {good: {type: boolean}, reason: {type: string, description: why it is not good}}
      required: [good, reason]
  count: {python: "steps.py:count"}
  answer: {prompt: "ANSWER in a {tone} tone from {draft}."}
edges:
  - {from: start, to: classify}
  - from: classify
    choose:
      - if: {any: [{field: topic, contains: loom}, {field: topic, in: [weaving, thread]}]}
        to: [split, help]
    else: answer
  - {from: split, each: parts, as: part, to: look, most: 3, else: write}
  - {from: look, to: write}
  - {from: help, to: end}
  - from: write
    choose:
      - if: {all: [{field: draft, empty: false}, {not: {field: rounds, at_least: 5}}]}
        to: check
    else: count
  - from: check
    choose:
      - if: {field: verdict.good, is: true}
        to: count
    else: write
  - {from: count, to: answer}
  - {from: answer, to: end}
"""

STEPS = '''
def count(state):
    """Note what was asked."""
    return {"rounds": 1, "asked": [state["topic"]]}
'''

KIT = '''
from treadle.tools import Effect, tool


@tool(effect=Effect.READ)
def look_up(topic: str) -> str:
    """Look a topic up.

    Args:
        topic: what to look up.
    """
    return f"There is nothing about {topic}."
'''


def write_project(folder, graph=GRAPH):
    """Write a project with the graph, what it names, and an agent that uses it."""
    for name in ("graphs", "agents"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "graphs" / "loom.yaml").write_text(graph)
    (folder / "steps.py").write_text(STEPS)
    (folder / "kit.py").write_text(KIT)
    (folder / "agents" / "helper.yaml").write_text("prompt: HELP\ndescription: It helps.\n")
    agent = "graph: loom\ntools: ['kit.py:look_up']\nagents: [helper]\n"
    (folder / "agents" / "weaver.yaml").write_text(agent)


def reply(request, *, good=True):
    """Play the model of the graph."""
    prompt = f"{request.system_text}\n{request.last_user_text}"
    if "CLASSIFY" in prompt:
        return say("Looms.")
    if "SPLIT" in prompt:
        return say("1. shafts\n2. hooks")
    if "CHECK" in prompt:
        return say(json.dumps({"good": good, "reason": "Too short."}))
    if "WRITE" in prompt:
        return say(f"A draft of {len(prompt)}.")
    return say("It has four shafts." if "ANSWER" in prompt else "Looms are old.")


def reply_badly(request):
    """Play a model that is never content with a draft."""
    return reply(request, good=False)
