"""Schemas of answers and of tools: those that an object fits are filled, the others refused."""

import json

import openai
import pytest

OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FILLED = [
    {"type": "object"},
    {},
    {"type": "object", "additionalProperties": True},
    {"type": ["object", "null"]},
    {"$defs": {"place": OBJECT}, "$ref": "#/$defs/place"},
    {"anyOf": [OBJECT, {"type": "string"}]},
    {"allOf": [OBJECT]},
]
REFUSED = [
    ({"type": "alien"}, "'alien'"),
    ({"type": "array", "items": OBJECT}, "of type 'object'"),
    ({"type": "string"}, "of type 'object'"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "of type 'object'"),
    ({"$defs": {"name": {"type": "string"}}, "$ref": "#/$defs/name"}, "of type 'object'"),
    ({"$ref": "#/$defs/none"}, "leads nowhere"),
    ({"type": "object", "properties": {"a": {"$ref": "https://example.org/a"}}}, "leads nowhere"),
    ({"$ref": "#"}, "back to itself"),
    ({"anyOf": [{"$ref": "#"}]}, "back to itself"),
    ({"type": "object", "minProperties": 1, "not": {"$ref": "#/minProperties"}}, "to no schema"),
    ({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}, "no JSON schema"),
    ({"type": "object", "properties": []}, "no JSON schema"),
    ({"type": "object", "required": "city"}, "no JSON schema"),
]
ASKED = [{"role": "user", "content": "Give me json"}]


def chat(client, schema, **options):
    format_ = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    create = client.chat.completions.create
    return create(messages=ASKED, response_format=format_, **{"model": "guide", **options})


def respond(client, schema, **options):
    text = {"format": {"type": "json_schema", "name": "place", "schema": schema}}
    return client.responses.create(**{"model": "guide", "input": ASKED, "text": text, **options})


@pytest.mark.parametrize("agent", ["guide", "counter"])
@pytest.mark.parametrize("schema", FILLED, ids=json.dumps)
def test_what_an_object_fits_is_filled(client, schema, agent):
    done = chat(client, schema, model=agent)
    assert json.loads(done.choices[0].message.content) == {"city": "Paris"}
    response = respond(client, schema, model=agent)
    assert json.loads(response.output_text) == {"city": "Paris"}
    assert response.text.format.schema_ == schema  # As it was asked for.


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(("schema", "why"), REFUSED, ids=json.dumps)
def test_what_none_fits_is_refused_by_its_field(client, model, schema, why, background):
    asked = len(model.requests)
    with pytest.raises(openai.BadRequestError, match=why) as caught:
        chat(client, schema)
    assert caught.value.param == "response_format.json_schema.schema"
    with pytest.raises(openai.BadRequestError, match=why) as caught:
        respond(client, schema, background=background)
    assert caught.value.param == "text.format.schema"
    assert len(model.requests) == asked


@pytest.mark.parametrize(("schema", "why"), REFUSED, ids=json.dumps)
def test_so_is_what_a_tool_takes(client, schema, why):
    tool = {"name": "get_weather", "parameters": schema}
    with pytest.raises(openai.BadRequestError, match=why) as caught:
        client.chat.completions.create(
            model="guide", messages=ASKED, tools=[{"type": "function", "function": tool}]
        )
    assert caught.value.param == "tools.0.function.parameters"
    with pytest.raises(openai.BadRequestError, match=why) as caught:
        client.responses.create(model="guide", input=ASKED, tools=[{"type": "function", **tool}])
    assert caught.value.param == "tools.0.parameters"
