// AG-UI's client for JavaScript, which checks the order of events itself.
import assert from "node:assert/strict";
import test from "node:test";
import { HttpAgent } from "@ag-ui/client";

const schema = JSON.parse(process.env.CITY);
const weather = { name: "get_weather", description: "The weather.", parameters: schema };

const agentOf = (name, options = {}) =>
  new HttpAgent({ url: `${process.env.URL}/agui/${name}`, ...options });
const ask = (agent, content) =>
  agent.addMessage({ id: crypto.randomUUID(), role: "user", content });
const run = async (agent, parameters = {}) => {
  const events = [];
  await agent.runAgent(parameters, { onEvent: ({ event }) => { events.push(event); } });
  return events;
};
const kinds = (events) => events.map((event) => event.type);
const said = (agent) => agent.messages.at(-1).content;

test("an answer is streamed, and the thread goes on", async () => {
  const agent = agentOf("guide");
  ask(agent, "Tell a long story");
  const events = await run(agent, { runId: "run-1" });
  assert.equal(events[0].type, "RUN_STARTED");
  assert.equal(events[0].runId, "run-1");
  assert.equal(events[0].threadId, agent.threadId);
  assert.equal(events.at(-1).type, "RUN_FINISHED");
  assert.deepEqual(events.at(-1).outcome, { type: "success" });
  assert.ok(events.at(-1).usage[0].totalTokens > 0);
  assert.ok(kinds(events).filter((kind) => kind === "TEXT_MESSAGE_CONTENT").length > 10);
  assert.equal(said(agent), process.env.LONG);
  ask(agent, "How much history?");
  await run(agent);
  assert.equal(said(agent), "Seen 2.");
});

test("a new thread is told what was said before", async () => {
  const agent = agentOf("guide", {
    initialMessages: [
      { id: "1", role: "user", content: "Hello" },
      { id: "2", role: "assistant", content: "Good morning." },
    ],
  });
  ask(agent, "How much history?");
  await run(agent);
  assert.equal(said(agent), "Seen 2.");
});

test("tools of the server are shown with what they returned", async () => {
  const agent = agentOf("counter");
  ask(agent, "Please compute");
  const events = await run(agent);
  const calls = events.filter((event) => event.type === "TOOL_CALL_START");
  assert.deepEqual(calls.map((event) => event.toolCallName), ["calculate"]);
  const [result] = events.filter((event) => event.type === "TOOL_CALL_RESULT");
  assert.equal(result.toolCallId, calls[0].toolCallId);
  assert.equal(result.content, "6*7 = 42");
  assert.equal(said(agent), "The result is 42.");
});

test("tools of the client are handed back, and the run goes on with what they returned", async () => {
  const agent = agentOf("guide");
  ask(agent, "Tell me the weather, both");
  const first = await run(agent, { tools: [weather] });
  assert.equal(first.at(-1).outcome.type, "success");
  assert.ok(!kinds(first).includes("TOOL_CALL_RESULT"));
  const calls = agent.messages.flatMap((message) => message.toolCalls ?? []);
  assert.deepEqual(
    calls.map((call) => JSON.parse(call.function.arguments).city).sort(), ["Paris", "Rome"],
  );
  for (const call of calls) {
    agent.addMessage({
      id: crypto.randomUUID(), role: "tool", toolCallId: call.id,
      content: `sunny in ${JSON.parse(call.function.arguments).city}`,
    });
  }
  const second = await run(agent, { tools: [weather] });
  assert.equal(
    second[0].metadata.treadle.runId, first[0].metadata.treadle.runId, "the same run went on",
  );
  assert.equal(said(agent), "It is sunny in Paris and sunny in Rome.");
});

for (const approved of [true, false]) {
  test(`a call that waits for leave is decided on where it is proposed: ${approved}`, async () => {
    const agent = agentOf("careful");
    ask(agent, "Please compute");
    const first = await run(agent);
    const [interrupt, ...others] = first.at(-1).outcome.interrupts;
    assert.deepEqual(others, []);
    assert.equal(interrupt.reason, "tool_call");
    const [call] = agent.messages.at(-1).toolCalls;
    assert.equal(call.id, interrupt.toolCallId);
    assert.deepEqual(JSON.parse(call.function.arguments), { expression: "6*7" });
    await assert.rejects(run(agent), /interrupt/i, "the client holds back what does not answer");
    const resume = [{ interruptId: interrupt.id, status: "resolved", payload: { approved } }];
    const second = await run(agent, { resume });
    assert.ok(!kinds(second).includes("TOOL_CALL_START"));
    const [result] = agent.messages.filter((message) => message.role === "tool");
    assert.equal(result.toolCallId, call.id);
    assert.match(result.content, approved ? /6\*7 = 42/ : /a person rejected it/);
    assert.equal(said(agent), "The result is 42.");
  });
}

test("a page that opens a thread is shown what was said, and goes on", async () => {
  const before = agentOf("counter");
  ask(before, "Please compute");
  await run(before);
  const agent = agentOf("counter", { threadId: before.threadId });
  await run(agent);
  assert.deepEqual(
    agent.messages.map((message) => message.role), ["user", "assistant", "tool", "assistant"],
  );
  assert.equal(said(agent), "The result is 42.");
  ask(agent, "How much history?");
  await run(agent);
  assert.equal(said(agent), "Seen 2.");
  assert.equal(new Set(agent.messages.map((message) => message.id)).size, agent.messages.length);
});

test("context and instructions reach the model", async () => {
  const agent = agentOf("guide");
  agent.addMessage({ id: "s", role: "system", content: "Be brief." });
  ask(agent, "Which instructions?");
  await run(agent, { context: [{ description: "The page", value: "prices" }] });
  assert.match(said(agent), /Be brief\.[^]*The page: prices/);
});

test("a run that fails is told as an error", async () => {
  const agent = agentOf("guide");
  ask(agent, "Please fail");
  const errors = [];
  await agent
    .runAgent({}, { onRunErrorEvent: ({ event }) => { errors.push(event); } })
    .catch(() => {});
  assert.equal(errors.length, 1);
  assert.equal(errors[0].code, "run_failed");
});

test("what is wrong with a request is told before anything runs", async () => {
  const agent = agentOf("none");
  ask(agent, "Hello?");
  await assert.rejects(run(agent), /404/);
});
