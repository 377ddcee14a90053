"""Graph files that are wrong: each is refused with its file, its line, and what to do."""

import pytest

from tests.support.patterns import look_up
from treadle.agents.embedded import EmbeddedChatModel
from treadle.core.errors import ConfigError
from treadle.graphs import GraphFile, GraphParts

GOOD = """\
description: Answers with a draft that was checked.
state:
  topic: {type: string}
  parts: {type: array}
  notes: {type: array, reduce: append}
  verdict: {type: object}
  tries: {type: integer, reduce: add}
nodes:
  classify: {prompt: Say what it is about., to: topic}
  split: {prompt: List what has to be looked up., to: parts}
  look: {tool: look_up, arguments: {topic: "{part}"}, to: notes}
  write: {prompt: "Answer from {notes}."}
  check: {prompt: Judge it., to: verdict, output: {type: object}, max_runs: 3}
edges:
  - {from: start, to: classify}
  - {from: classify, to: split}
  - {from: split, each: parts, as: part, to: look, else: write}
  - {from: look, to: write}
  - from: write
    choose:
      - if: {field: topic, is_not: chat}
        to: check
    else: end
  - from: check
    choose:
      - if: {field: verdict.good, is: true}
        to: end
    else: write
"""

BROKEN = [
    # what in the good file is replaced, by what, the line that is named, and what is said
    ("    else: write\n", "    els: write\n", 28, "'edges.5.els'. Did you mean 'else'?"),
    ("max_runs: 3", "max_run: 3", 13, "Did you mean 'max_runs'? Fields: agent,"),
    ("max_runs: 3", "max_runs: 0", 13, "greater than or equal to 1; it is 0"),
    (", max_runs: 3", "", 28, "write → check → write can go round for ever. Give a node"),
    ("to: classify}", "to: clasify}", 15, "no node 'clasify'. Did you mean 'classify'?"),
    ("from: look,", "from: lok,", 18, "no node 'lok'. Did you mean 'look'?"),
    ("{from: look, to: write}", "{from: look}", 18, "the edge has no 'to': say where it goes"),
    ("    else: end\n", "", 19, "no 'else': say where to go when nothing else holds"),
    ("as: part, ", "", 17, "no 'as': say under which name"),
    (", else: write}", ", choose: []}", 17, "edges.2.choose: "),
    ("each: parts", "each: topic", 17, "cannot be sent: it is of type 'string'"),
    ("each: parts", "each: partz", 17, "no field 'partz'. Did you mean 'parts'?"),
    ("as: part,", "as: topic,", 17, "'topic' is a field of the state. Choose another name"),
    ("{part}", "{prat}", 11, "no field 'prat'. Did you mean 'part'?"),
    ("{notes}", "{notes", 12, "belongs to no {field}: double it. Write '{{' and '}}'"),
    ("{part}", "{ part }", 11, "the brace in '{ part }'"),
    ("to: verdict", "to: verdicts", 13, "no field 'verdicts'. Did you mean 'verdict'?"),
    (", output: {type: object}", "", 13, "of type 'object', and this node gives array or string"),
    ("output: {type: object}", "output: {type: object, $ref: '#/b'}", 13, "'#/b' leads nowhere"),
    ("output: {type: object}", "output: {type: array}", 13, "a JSON schema of type 'object'"),
    ("to: verdict, ", "", 13, "'output' is of a thought, and this node answers"),
    ("to: notes}", "to: notes, task: x}", 11, "'task' does not belong to a node with 'tool'"),
    ("tool: look_up", "tool: look_up, prompt: x", 11, "it has prompt and tool. Make a node of"),
    ('prompt: "Answer from {notes}."', "conversation: true", 12, "of these it has none"),
    ('{prompt: "Answer from {notes}."}', "{interrupt: Well}", 12, "Add 'to: FIELD'"),
    ('{prompt: "Answer from {notes}."}', "{agent: x, to: topic}", 12, "Add a 'task', or"),
    ("is_not: chat", "is_not: no", 21, "'topic' is of type 'string', and False is not. Put a"),
    ("is_not: chat", "above: 3", 21, "'above' cannot compare 'topic', which is of type 'string'"),
    ("is_not: chat", "matches: c.*", 21, "no field 'edges.4.choose.0.if.matches'"),
    ("is_not: chat", "is_not: chat, is: a", 21, "a condition is a 'field' and one of is, is_not"),
    ("field: topic, is_not: chat", "all: []", 21, "at least 1 item"),
    ("field: topic, is_not", "field: topik, is_not", 21, "Did you mean 'topic'?"),
    ("field: topic, is_not", "field: topic.x, is_not", 21, "of type 'string': it has no 'x'"),
    ('if: {field: verdict.good, is: true}', "if: verdict.good == True", 26, "valid dictionary"),
    ("reduce: append", "reduce: apend", 5, "'replace', 'append', 'add' or 'merge'"),
    ("reduce: append", "reduce: merge", 5, "'reduce: merge' is for a field of type object"),
    ("reduce: append}", "reduce: append, default: [a]}", 5, "begins empty, so it takes no 'def"),
    ("topic: {type: string}", "topic: {type: text}", 3, "'string', 'integer', 'number'"),
    ("topic: {type: string}", "topic: {default: 3}", 3, "the default 3 of 'topic' is not of type"),
    ("topic: {type: string}", "messages: {type: string}", 3, "cannot be called 'messages'"),
    ("  parts: {type: array}\n", "  topic: {type: array}\n", 4, "twice, first in line 3"),
    (", reduce: append}", "}", 17, "every run of 'look' writes to 'notes' at the same time. Give"),
    ("to: split}", "to: [split, write]}", 16, None),  # which is no mistake
    ("  split: {", "  end: {", 10, "a node cannot be called 'end'"),
    ("  split: {", "  Split: {", 10, "match pattern"),
    ("  - {from: look, to: write}\n", "", 11, "no edge begins at 'look'. Add '- {from: look"),
    ("to: split}", "to: write}", 10, "no edge leads from 'start' to 'split'"),
    ("  - {from: look, to: write}", "  - {from: split, to: write}", 18, "first is in line 17"),
    ("from: look,", "from: [look, look],", 18, "waits for each of them once"),
    ("  - {from: start, to: classify}\n", "", 14, "no edge begins at 'start'"),
    ('{prompt: "Answer from {notes}."}', '{prompt: "{notes}", to: topic}', 8, "no node gives an"),
    ("look_up", "look_down", 11, "No tool of the agent is named 'look_down'. Did you mean"),
    ("{topic: \"{part}\"}", '{topc: "{part}"}', 11, "takes no argument 'topc'. Did you mean 't"),
    ("arguments: {topic: \"{part}\"}, ", "", 11, "needs the argument 'topic'. It takes: topic"),
    ('{prompt: "Answer from {notes}."}', "{agent: helper}", 12, "is named 'helper'. There is no"),
    ('{prompt: "Answer from {notes}."}', "{python: 'a.py:b'}", 12, "there is no such file"),
    ('{prompt: "Answer from {notes}."}', "{python: nothing}", 12, "'path.py:name'"),
    ('"{part}"}', "2020-01-01}", 11, "not a valid JSON value"),
    ("max_runs: 3", "max_runs: 3, model: big", 13, "no model is found by its name here, so not"),
    ("to: notes}", "to: notes, model: big}", 11, "'model' does not belong to a node with 'tool'"),
    ("nodes:\n", "nodes: [\n", 10, "not valid YAML"),
]  # fmt: skip


def test_there_are_enough():
    assert len(BROKEN) >= 30


@pytest.mark.parametrize(("old", "new", "line", "said"), BROKEN, ids=[b[1] for b in BROKEN])
def test_a_broken_file_is_refused_with_its_line_and_what_to_do(tmp_path, old, new, line, said):
    path = tmp_path / "graphs" / "draft.yaml"
    path.parent.mkdir()
    head, found, tail = GOOD.rpartition(old) if "else: write\n" in old else GOOD.partition(old)
    assert found
    path.write_text(f"{head}{new}{tail}")
    parts = GraphParts(EmbeddedChatModel(), tools=[look_up], project=tmp_path)
    if said is None:
        GraphFile(path).compile(parts)
        return
    with pytest.raises(ConfigError) as caught:
        GraphFile(path).compile(parts)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


def test_two_that_write_one_field_at_once_are_named(tmp_path):
    path = tmp_path / "both.yaml"
    path.write_text(
        "state: {draft: {}}\n"
        "nodes:\n"
        "  a: {prompt: A, to: draft}\n"
        "  b: {prompt: B, to: draft}\n"
        "edges:\n"
        "  - {from: start, to: [a, b]}\n"
        "  - {from: [a, b], to: end}\n"
        'answer: "{draft}"\n'
    )
    with pytest.raises(ConfigError, match=r"both\.yaml:6: 'a' and 'b' write to .draft. at the"):
        GraphFile(path)


def test_alternatives_cannot_be_waited_for(tmp_path):
    path = tmp_path / "never.yaml"
    path.write_text(
        "state: {draft: {}, other: {}}\n"
        "nodes:\n"
        "  a: {prompt: A, to: draft}\n"
        "  b: {prompt: B, to: other}\n"
        "edges:\n"
        "  - {from: start, choose: [{if: {field: draft, empty: true}, to: a}], else: b}\n"
        "  - {from: [a, b], to: end}\n"
        'answer: "{draft}"\n'
    )
    with pytest.raises(ConfigError, match=r"never\.yaml:7: 'a' and 'b' are waited for, and a"):
        GraphFile(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this one is empty"),
        ("- a\n", "holds a list"),
        ("nodes: {}\nedges: []\n", "at least 1 item"),
        ("edges: []\n", "the field 'nodes' is missing"),
        ("a: &a [*a]\n", "too many values inside each other"),
        ("a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
            f"{name}: &{name} [{','.join([f'*{before}'] * 8)}]\n"
            for before, name in zip("abcdefg", "bcdefgh", strict=True)
        ), "too many values inside each other"),
        ("nodes: " + "[" * 100 + "]" * 100, "too many values inside each other"),
        ("nodes: " + "[" * 5000 + "]" * 5000, "not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("nodes: \x00", "not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_no_graph_file_at_all(tmp_path, text, said):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        GraphFile(path)
