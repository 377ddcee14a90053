// LangGraph's client for JavaScript: `Client` of @langchain/langgraph-sdk.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.env.URL });
const said = (text) => ({ messages: [{ type: "human", content: text }] });
const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};
const newThread = async () => (await client.threads.create()).thread_id;
let gates = 0;
const newGate = () => join(process.env.FOLDER, `gate-${process.pid}-${++gates}`);
const open = (gate) => writeFileSync(gate, "");

test("assistants are found, described and made", async () => {
  const found = await client.assistants.search({ limit: 100 });
  assert.ok(["talk", "ask", "hold"].every((id) => found.some((one) => one.graph_id === id)));
  const [talk] = await client.assistants.search({ graphId: "talk" });
  assert.equal((await client.assistants.get(talk.assistant_id)).graph_id, "talk");
  const graph = await client.assistants.getGraph("talk");
  assert.ok(graph.nodes.some((node) => node.id === "reply"));
  const schemas = await client.assistants.getSchemas("talk");
  assert.ok("messages" in schemas.state_schema.properties);
  const made = await client.assistants.create({ graphId: "talk", name: "Mine", metadata: { a: 1 } });
  const changed = await client.assistants.update(made.assistant_id, { name: "Yours" });
  assert.deepEqual([changed.name, changed.version], ["Yours", 2]);
  assert.equal((await client.assistants.getVersions(made.assistant_id)).length, 2);
  assert.equal((await client.assistants.setLatest(made.assistant_id, 1)).name, "Mine");
  assert.equal(await client.assistants.count({ metadata: { a: 1 } }), 1);
  await client.assistants.delete(made.assistant_id);
  await assert.rejects(client.assistants.get(made.assistant_id), /404/);
});

test("threads are made, found, changed, copied and removed", async () => {
  const thread = await client.threads.create({ metadata: { topic: "looms" }, graphId: "talk" });
  const id = thread.thread_id;
  assert.deepEqual(thread.metadata, { topic: "looms", graph_id: "talk" });
  await client.threads.update(id, { metadata: { more: true } });
  assert.equal((await client.threads.get(id)).metadata.more, true);
  const found = await client.threads.search({ metadata: { topic: "looms" } });
  assert.deepEqual(found.map((one) => one.thread_id), [id]);
  assert.equal(await client.threads.count({ metadata: { topic: "looms" } }), 1);
  await client.threads.updateState(id, { values: said("by hand"), asNode: "reply" });
  const copy = await client.threads.copy(id);
  const state = await client.threads.getState(copy.thread_id);
  assert.equal(state.values.messages[0].content, "by hand");
  await client.threads.delete(copy.thread_id);
  assert.equal((await client.threads.prune([id])).pruned_count, 1);
  await assert.rejects(client.threads.get(id), /404/);
});

test("a run is streamed in every mode at once", async () => {
  const thread = await newThread();
  const streamMode = ["values", "updates", "messages-tuple", "tasks", "checkpoints", "debug"];
  const created = [];
  const parts = await collect(
    client.runs.stream(thread, "talk", {
      input: said("hello"), streamMode, onRunCreated: (run) => created.push(run),
    }),
  );
  assert.equal(created[0].thread_id, thread);
  const events = parts.map((part) => part.event);
  assert.deepEqual([events[0], events.at(-1)], ["metadata", "end"]);
  assert.equal(parts[0].data.run_id, created[0].run_id);
  for (const kind of ["values", "updates", "tasks", "checkpoints", "debug"])
    assert.ok(events.includes(kind), kind);
  const pieces = parts.filter((part) => part.event === "messages").map((part) => part.data[0]);
  const last = parts.findLast((part) => part.event === "values").data.messages.at(-1);
  assert.equal(pieces.map((piece) => piece.content).join(""), last.content);
  assert.ok(pieces.length > 5);
  assert.ok(pieces.every((piece) => piece.id === last.id));
  assert.ok(parts.every((part) => part.id));
});

test("runs are waited for, joined, listed and removed", async () => {
  const thread = await newThread();
  const state = await client.runs.wait(thread, "talk", { input: said("hello") });
  assert.match(state.messages.at(-1).content, /said: hello$/);
  const run = await client.runs.create(thread, "talk", { input: said("again"), metadata: { b: 2 } });
  const joined = await client.runs.join(thread, run.run_id);
  assert.equal(joined.messages.length, 4);
  const [listed] = await client.runs.list(thread);
  assert.deepEqual([listed.run_id, listed.status, listed.metadata.b], [run.run_id, "success", 2]);
  await client.runs.delete(thread, run.run_id);
  await assert.rejects(client.runs.get(thread, run.run_id), /404/);
  assert.match((await client.runs.wait(null, "talk", { input: said("x") })).messages[1].content, /x$/);
  const batch = [{ assistantId: "talk", input: said("y") }, { assistantId: "talk", input: said("z") }];
  assert.equal((await client.runs.createBatch(batch)).length, 2);
});

test("a stream is joined from any event on", async () => {
  const thread = await newThread();
  const gate = newGate();
  const run = await client.runs.create(thread, "hold", {
    input: { ...said("wait"), gate }, streamMode: ["custom", "values"], streamResumable: true,
  });
  const seen = [];
  for await (const part of client.runs.joinStream(thread, run.run_id, { lastEventId: "-1" })) {
    seen.push(part);
    if (part.event === "custom") break;
  }
  open(gate);
  const lastEventId = seen.at(-1).id;
  const rest = await collect(client.runs.joinStream(thread, run.run_id, { lastEventId }));
  assert.equal(rest.at(-1).event, "end");
  const whole = await collect(client.runs.joinStream(thread, run.run_id, { lastEventId: "-1" }));
  assert.deepEqual([...seen, ...rest], whole);
  const values = await collect(
    client.runs.joinStream(thread, run.run_id, { lastEventId: "-1", streamMode: "custom" }),
  );
  assert.ok(!values.some((part) => part.event === "values"));
});

test("a run that asks waits, and is resumed", async () => {
  const thread = await newThread();
  const state = await client.runs.wait(thread, "ask", { input: said("may I?") });
  assert.deepEqual(state.__interrupt__[0].value, { question: "Sure?" });
  assert.equal((await client.threads.get(thread)).status, "interrupted");
  const done = await client.runs.wait(thread, "ask", { command: { resume: "certain" } });
  assert.equal(done.messages.at(-1).content, "You are certain.");
  assert.equal((await client.threads.get(thread)).status, "idle");
});

test("a conversation is gone on with from an earlier checkpoint", async () => {
  const thread = await newThread();
  await client.runs.wait(thread, "talk", { input: said("first") });
  await client.runs.wait(thread, "talk", { input: said("second") });
  const history = await client.threads.getHistory(thread, { limit: 50 });
  const before = history.find((state) => state.values.messages.length === 2);
  const at = await client.threads.getState(thread, before.checkpoint);
  assert.deepEqual(at.values, before.values);
  assert.deepEqual(
    (await client.threads.getState(thread, before.checkpoint.checkpoint_id)).values, before.values,
  );
  const forked = await client.runs.wait(thread, "talk", {
    input: said("instead"), checkpoint: before.checkpoint,
  });
  const texts = forked.messages.filter((one) => one.type === "human").map((one) => one.content);
  assert.deepEqual(texts, ["first", "instead"]);
  const edited = await client.threads.updateState(thread, {
    values: { messages: [{ ...forked.messages[0], content: "edited" }] },
    checkpoint: before.checkpoint,
  });
  const after = await client.threads.getState(thread, edited.checkpoint);
  assert.equal(after.values.messages[0].content, "edited");
});

test("runs are stopped, one, several and by leaving", async () => {
  const thread = await newThread();
  const input = { ...said("wait"), gate: newGate() };
  const run = await client.runs.create(thread, "hold", { input });
  await client.runs.cancel(thread, run.run_id, true);
  assert.equal((await client.runs.get(thread, run.run_id)).status, "interrupted");
  const more = await client.runs.create(thread, "hold", { input });
  await client.runs.cancelMany({ threadId: thread, runIds: [more.run_id], action: "rollback" });
  await client.runs.join(thread, more.run_id);
  const leaving = new AbortController();
  const options = { input, streamMode: "custom", onDisconnect: "cancel", signal: leaving.signal };
  let left;
  try {
    for await (const part of client.runs.stream(thread, "hold", {
      ...options, onRunCreated: (made) => (left = made.run_id),
    }))
      if (part.event === "custom") leaving.abort();
  } catch (error) {
    assert.equal(error.name, "AbortError");
  }
  await client.runs.join(thread, left);
  assert.equal((await client.runs.get(thread, left)).status, "interrupted");
});

test("what fails is told as it is told to every client", async () => {
  const quick = new Client({ apiUrl: process.env.URL, callerOptions: { maxRetries: 0 } });
  const thread = await newThread();
  await assert.rejects(quick.runs.wait(thread, "none", { input: null }), /404/);
  await assert.rejects(quick.runs.wait(thread, "talk", { input: { messages: 7 } }), /422.*messages/);
  const input = { ...said("wait"), gate: 7 };
  await assert.rejects(quick.runs.wait(thread, "hold", { input }), /RunError/);
  const parts = await collect(quick.runs.stream(thread, "hold", { input }));
  assert.deepEqual([parts.at(-1).event, parts.at(-1).data.error], ["error", "RunError"]);
  await assert.rejects(quick.runs.joinStream(thread, "none").next(), /404/);
});

test("the store keeps, finds and forgets", async () => {
  await client.store.putItem(["js", "looms"], "a", { threads: 8 });
  assert.deepEqual((await client.store.getItem(["js", "looms"], "a")).value, { threads: 8 });
  const found = await client.store.searchItems(["js"]);
  assert.deepEqual(found.items.map((item) => item.key), ["a"]);
  const { namespaces } = await client.store.listNamespaces({ prefix: ["js"] });
  assert.deepEqual(namespaces, [["js", "looms"]]);
  await client.store.deleteItem(["js", "looms"], "a");
  assert.equal(await client.store.getItem(["js", "looms"], "a"), null);
});
