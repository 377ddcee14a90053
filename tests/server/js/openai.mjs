// OpenAI's client for JavaScript.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.URL}/v1`, apiKey: "not-needed", maxRetries: 0,
});
const asked = (content) => [{ role: "user", content }];
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: "guide", messages: asked(content), ...more });
const schema = JSON.parse(process.env.CITY);
const json_schema = { name: "place", schema, strict: true };
const weather = { type: "function", function: { name: "get_weather", parameters: schema } };

test("agents are models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("guide"));
  assert.equal((await client.models.retrieve("guide")).owned_by, "treadle");
});

test("chat answers, whole and in pieces", async () => {
  const done = await ask("Hello?");
  assert.equal(done.choices[0].message.content, "Good morning.");
  const stream = await ask("Tell a long story", {
    stream: true, stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const pieces = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean);
  assert.equal(pieces.join(""), process.env.LONG);
  assert.ok(pieces.length > 10);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

test("the client's own helper collects a stream", async () => {
  const stream = client.chat.completions.stream({ model: "guide", messages: asked("Hello?") });
  assert.equal(await stream.finalContent(), "Good morning.");
});

test("an answer fits a schema", async () => {
  const done = await ask("Give me json", { response_format: { type: "json_schema", json_schema } });
  assert.deepEqual(JSON.parse(done.choices[0].message.content), { city: "Paris" });
});

test("the client's tools are run by its own helper", async () => {
  const runner = client.chat.completions.runTools({
    model: "guide",
    messages: asked("Tell me the weather"),
    tools: [{
      ...weather,
      function: {
        ...weather.function, parse: JSON.parse, function: ({ city }) => `fine in ${city}`,
      },
    }],
  });
  assert.equal(await runner.finalContent(), "It is fine in Paris.");
});

test("responses answer, stream and go on", async () => {
  const first = await client.responses.create({ model: "guide", input: "Hello?" });
  assert.equal(first.output_text, "Good morning.");
  const second = await client.responses.create({
    model: "guide", input: "Tell our history", previous_response_id: first.id,
  });
  assert.equal(second.output_text, "Seen 2.");
  const stream = client.responses.stream({ model: "guide", input: "Tell a long story" });
  const deltas = [];
  stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
  assert.equal((await stream.finalResponse()).output_text, process.env.LONG);
  assert.equal(deltas.join(""), process.env.LONG);
});

test("errors are told in the client's own types", async () => {
  await assert.rejects(ask("Hello?", { model: "gide" }), OpenAI.NotFoundError);
  await assert.rejects(ask("Hello?", { seed: "seven" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.param, error.type], ["seed", "invalid_request_error"]);
    return true;
  });
  await assert.rejects(ask("Hello?", { logprobs: true }), (error) => error.param === "logprobs");
  await assert.rejects(ask("Please fail"), (error) => error.code === "run_failed");
  await assert.rejects(async () => {
    for await (const _ of await ask("Please fail", { stream: true }));
  }, (error) => error.code === "run_failed");
});

for (const stream of [false, true])
  test(`a client that leaves stops its run, ${stream ? "streamed" : "whole"}`, async () => {
    const metadata = { thread_id: `left-by-js-${stream}` };
    const leaving = new AbortController();
    const options = { signal: leaving.signal };
    const asking = client.chat.completions.create(
      { model: "guide", messages: asked("Please hang"), metadata, stream }, options,
    );
    if (stream) {
      const answer = await asking;
      leaving.abort();
      await answer[Symbol.asyncIterator]().next().catch(() => undefined);
    } else {
      setTimeout(() => leaving.abort(), 300);
      await assert.rejects(asking, OpenAI.APIUserAbortError);
    }
    // The thread is free again: whoever asks next is answered.
    const done = await ask("Hello?", { metadata });
    assert.equal(done.choices[0].message.content, "Good morning.");
  });
