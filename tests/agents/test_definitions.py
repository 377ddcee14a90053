"""Agent files: what they may say, and what is said when they are wrong."""

import os

import pytest
from pydantic import BaseModel

from treadle.agents import Agent, agent_files, find_agent
from treadle.core.errors import ConfigError, UnknownNameError

GOOD = """\
description: Answers questions about looms.
graph: react
options: {max_steps: 5}
model: fast
prompt: |
  You know looms.
tools: [search_documents, calculate]
memory: {window_tokens: 4000, summary: model, recall: false, facts: false}
budget: {model_calls: 8, usd: 0.25}
output:
  type: object
  properties: {shafts: {type: integer}}
"""


def read(tmp_path, text, name="looms.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return Agent.from_file(path)


def test_an_agent_file_says_everything_a_python_agent_can(tmp_path):
    agent = read(tmp_path, GOOD)
    assert agent.name == "looms"
    assert agent.tools == ("search_documents", "calculate")
    assert agent.budget.model_calls == 8
    assert (agent.memory.summary, agent.memory.recall, agent.memory.facts) == (
        "model",
        False,
        False,
    )
    assert agent.output["title"] == "answer"
    same = Agent.model_validate(agent.model_dump())
    assert same == agent


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("graph: react\ntols: [calculate]\n", 2, "Did you mean 'tools'"),
        ("graph: react\nbudget:\n  model_cals: 3\n", 3, "Did you mean 'model_calls'"),
        ("description: x\nbudget:\n  usd: -1\n", 3, "greater than 0"),
        ("tools: [a, a]\n", 1, "listed 2 times"),
        ("tools:\n  - 3\n", 2, "valid string"),
        ("memory: {window_tokens: 5}\n", 1, "greater than or equal to 500"),
        ("memory: {summary: long}\n", 1, "'none', 'extract' or 'model'"),
        ("output: {type: string}\n", 1, "type 'object'"),
        (
            "output:\n  type: object\n  properties: 5\n",
            1,
            "no JSON schema: $.properties: 5 is not",
        ),
        ("output: {type: object, properties: {a: {type: strin}}}\n", 1, "'strin' is not valid"),
        (
            "output: {type: object, properties: {a: {$ref: '#/b'}}}\n",
            1,
            "'#/b' leads nowhere in it",
        ),
        ("output: {type: object, items: {$ref: 'http://x.test/y'}}\n", 1, "http://x.test/y"),
        ("output: {type: object, properties: {a: {pattern: '('}}}\n", 1, "no JSON schema"),
        ("output: {type: alien}\n", 1, "no JSON schema"),
        ("output: {$ref: '#/$defs/none'}\n", 1, "leads nowhere"),
        ("name: Loom Agent\n", 1, "name"),
        ("graph: [a\n", 2, "not valid YAML"),
        ("- a\n- b\n", 1, "holds a list"),
        ("", 1, "this one is empty"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path, text, line, expected):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{tmp_path / 'looms.yaml'}:{line}: ")


def test_an_output_schema_may_refer_to_its_own_places_and_hold_the_word_in_data(tmp_path):
    text = (
        "output:\n  type: object\n  $defs: {b: {type: string}}\n"
        "  properties: {a: {$ref: '#/$defs/b'}, $ref: {const: {$ref: '#/nowhere'}}}\n"
    )
    assert read(tmp_path, text).output["properties"]["a"] == {"$ref": "#/$defs/b"}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a" * 2_000_000])
def test_a_file_that_is_no_agent_file_at_all(tmp_path, content):
    path = tmp_path / "looms.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"looms\.yaml"):
        Agent.from_file(path)


def test_a_projects_agents_stand_beside_the_shipped_ones_and_before_them(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "looms.yaml").write_text(GOOD)
    (tmp_path / "agents" / "digest.yaml").write_text("description: mine\n")
    assert list(agent_files(tmp_path)) == ["assistant", "digest", "looms", "researcher"]
    assert find_agent("digest", tmp_path).description == "mine"


def test_agents_that_come_and_go_are_seen_at_once(tmp_path):
    """In a folder that changes a lot, and in one where nothing changed for long."""
    folder = tmp_path / "agents"
    assert "a0" not in agent_files(tmp_path)
    folder.mkdir()
    for number in range(20):
        file = folder / f"a{number}.yaml"
        if number % 2:
            os.utime(folder, (1_000_000, 1_000_000))
            assert f"a{number}" not in agent_files(tmp_path)
        file.write_text(GOOD)
        assert f"a{number}" in agent_files(tmp_path)
    for file in folder.iterdir():
        assert file.stem in agent_files(tmp_path)
        file.unlink()
        assert file.stem not in agent_files(tmp_path)


@pytest.mark.parametrize("name", ["assistant", "researcher", "digest"])
def test_the_shipped_agents_are_well_formed(tmp_path, name):
    agent = find_agent(name, tmp_path)
    assert agent.description
    assert agent.budget.model_calls


def test_an_unknown_agent_offers_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'researcher'"):
        find_agent("reseacher", tmp_path)


def test_a_name_that_is_not_the_files_is_refused(tmp_path):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "looms.yaml").write_text("name: weaver\n")
    with pytest.raises(ConfigError, match="'weaver' and the file's 'looms'"):
        find_agent("looms", tmp_path)


def test_a_pydantic_model_says_what_the_output_is():
    class Sum(BaseModel):
        total: int

    agent = Agent(name="counter", output=Sum)
    assert agent.output == Sum.model_json_schema()
    assert Agent.model_validate_json(agent.model_dump_json()) == agent


@pytest.mark.parametrize("schema", [{"type": "object", "additionalProperties": True}, {}])
def test_a_schema_needs_no_properties(schema):
    made = Agent(name="x", output=schema)
    assert made.output == {"title": "answer", "type": "object", "properties": {}, **schema}
    assert Agent(name="x", output=made.output) == made
