// Vercel's AI SDK, with its provider for servers that speak OpenAI's protocol.
import assert from "node:assert/strict";
import test from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const provider = createOpenAICompatible({
  name: "treadle", baseURL: `${process.env.URL}/v1`, includeUsage: true,
  supportsStructuredOutputs: true,
});
const model = provider("guide");
const schema = jsonSchema(JSON.parse(process.env.CITY));
const tools = {
  get_weather: tool({ inputSchema: schema, execute: async ({ city }) => `fine in ${city}` }),
};

test("text is generated", async () => {
  const done = await generateText({ model, prompt: "Hello?" });
  assert.equal(done.text, "Good morning.");
  assert.equal(done.finishReason, "stop");
  assert.ok(done.usage.totalTokens > 0);
});

test("text is streamed", async () => {
  const done = streamText({ model, prompt: "Tell a long story" });
  const pieces = [];
  for await (const piece of done.textStream) pieces.push(piece);
  assert.equal(pieces.join(""), process.env.LONG);
  assert.ok(pieces.length > 10);
  assert.ok((await done.usage).totalTokens > 0);
});

test("what the server does is reasoning", async () => {
  const done = streamText({ model: provider("counter"), prompt: "Please compute" });
  assert.equal(await done.text, "The result is 42.");
  assert.match(await done.reasoningText, /calculate/);
});

test("objects fit a schema", async () => {
  const done = await generateObject({ model, schema, prompt: "Give me json" });
  assert.deepEqual(done.object, { city: "Paris" });
});

for (const [how, generate] of [["whole", generateText], ["streamed", streamText]])
  test(`tools of the client are called, ${how}`, async () => {
    const done = await generate({
      model, tools, prompt: "Tell me the weather", stopWhen: stepCountIs(3),
    });
    assert.equal(await done.text, "It is fine in Paris.");
    assert.equal((await done.steps).length, 2);
  });

test("what is asked of the model is taken", async () => {
  const done = await generateText({
    model: provider("counter"), prompt: "Please compute", temperature: 0.3, topP: 0.9, seed: 42,
    presencePenalty: 0.5, frequencyPenalty: -0.5, stopSequences: ["###"], maxOutputTokens: 700,
    providerOptions: { treadle: { reasoningEffort: "low", textVerbosity: "high" } },
  });
  assert.equal(done.text, "The result is 42.");
});

test("errors are told", async () => {
  await assert.rejects(generateText({ model, prompt: "Please fail", maxRetries: 0 }), (error) => {
    assert.equal(error.statusCode, 502);
    assert.match(error.responseBody, /run_failed/);
    return true;
  });
  await assert.rejects(
    generateText({ model: provider("gide"), prompt: "Hello?", maxRetries: 0 }), /gide/,
  );
});

test("a client that leaves is let go", async () => {
  const leaving = new AbortController();
  const asking = generateText({ model, prompt: "Please hang", abortSignal: leaving.signal });
  setTimeout(() => leaving.abort(), 300);
  await assert.rejects(asking, (error) => error.name === "AbortError");
});
