"""What OpenAI's client can ask, and is not served: an error that names it, in OpenAI's form."""

import openai
import pytest

ASKED = {
    "batches.list": lambda c: c.batches.list(),
    "chat.completions.delete": lambda c: c.chat.completions.delete("x"),
    "chat.completions.list": lambda c: c.chat.completions.list(),
    "chat.completions.messages.list": lambda c: c.chat.completions.messages.list("x"),
    "chat.completions.retrieve": lambda c: c.chat.completions.retrieve("x"),
    "chat.completions.update": lambda c: c.chat.completions.update("x", metadata={}),
    "completions.create": lambda c: c.completions.create(model="guide", prompt="x"),
    "embeddings.create": lambda c: c.embeddings.create(model="guide", input="x"),
    "files.list": lambda c: c.files.list(),
    "images.generate": lambda c: c.images.generate(prompt="x"),
    "models.delete": lambda c: c.models.delete("guide"),
    "moderations.create": lambda c: c.moderations.create(input="x"),
    "responses.compact": lambda c: c.responses.compact(model="guide"),
    "responses.input_tokens.count": lambda c: c.responses.input_tokens.count(),
    "vector_stores.list": lambda c: c.vector_stores.list(),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_not_served_is_named(client, name):
    with pytest.raises(openai.APIStatusError) as caught:
        ASKED[name](client)
    error = caught.value
    assert error.status_code in {404, 405}
    assert f"{error.request.method} {error.request.url.path} is not served here" in error.message
    assert error.type == "invalid_request_error"
    if error.status_code == 405:
        assert error.response.headers["allow"] in error.message


@pytest.mark.parametrize(
    "asked",
    [
        lambda c: c.responses.retrieve("resp_x"),
        lambda c: c.responses.cancel("resp_x"),
        lambda c: c.responses.delete("resp_x"),
        lambda c: c.responses.input_items.list("resp_x"),
        lambda c: c.conversations.retrieve("x"),
    ],
)
def test_what_is_served_and_not_there_is_not_found(client, asked):
    with pytest.raises(openai.NotFoundError, match="x") as caught:
        asked(client)
    assert "not served" not in caught.value.message
    assert (caught.value.type, caught.value.code) == ("invalid_request_error", "not_found")
