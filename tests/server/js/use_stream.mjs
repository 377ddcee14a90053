// LangGraph's hook for React: `useStream` of @langchain/langgraph-sdk, in a document of happy-dom.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { Client } from "@langchain/langgraph-sdk";
import { Window } from "happy-dom";

const window = new Window({ url: process.env.URL });
Object.assign(globalThis, { window, document: window.document });
globalThis.navigator ??= window.navigator; // Newer versions of node have one.
const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useStream } = await import("@langchain/langgraph-sdk/react");

const client = new Client({ apiUrl: process.env.URL });
const said = (text) => ({ messages: [{ type: "human", content: text }] });
const texts = (page) => page.now.messages.map((message) => message.content);
const newGate = () => join(process.env.FOLDER, `gate-${process.pid}-${Math.random()}`);
const pages = new Set();
after(async () => {
  for (const page of pages) page.close();
  await window.happyDOM.close();
});

/** Open a page that shows a thread: `now` is what the hook gave last, `seen` all it showed. */
function openPage(assistantId, { threadId = null, ...options } = {}) {
  const page = { threadId, seen: [], errors: [], finished: [], created: [] };
  function Chat() {
    page.now = useStream({
      apiUrl: process.env.URL, assistantId, threadId: page.threadId, reconnectOnMount: true,
      fetchStateHistory: true, throttle: false, messagesKey: "messages",
      onThreadId: (id) => { page.threadId = id; page.draw(); },
      onError: (error) => page.errors.push(error),
      onFinish: (state, run) => page.finished.push([state, run]),
      onCreated: (run) => page.created.push(run),
      ...options,
    });
    page.seen.push(page.now.messages.map((message) => message.content));
    // Declared behind the hook's own effects, and so carried out when they are.
    useEffect(() => { page.isSettled = true; });
    return null;
  }
  const root = createRoot(document.createElement("div"));
  page.draw = () => root.render(createElement(Chat));
  page.close = () => { root.unmount(); pages.delete(page); };
  pages.add(page);
  page.draw();
  return page;
}

async function until(isSo, what) {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, `not so in time: ${what ?? isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function drawn(page) {
  // The hook's first effect, where it comes behind a submit, clears what was submitted.
  await until(() => page.isSettled && !page.now.isThreadLoading);
}

async function ask(page, text, options) {
  await page.now.submit(text === undefined ? undefined : said(text), options);
  await until(() => !page.now.isLoading);
  assert.deepEqual(page.errors, []);
}

test("submits, and shows an answer while it grows", async () => {
  const page = openPage("talk");
  await drawn(page);
  await page.now.submit(said("hello"), {
    optimisticValues: (before) => ({
      messages: [...(before.messages ?? []), { type: "human", content: "hello" }],
    }),
  });
  await until(() => !page.now.isLoading);
  assert.deepEqual(page.errors, []);
  const [question, answer] = texts(page);
  assert.equal(question, "hello");
  assert.match(answer, /^This is answer \d+ to what you said: hello$/);
  assert.ok(page.seen.some((shown) => shown.length === 1 && shown[0] === "hello"));
  const growing = page.seen.map((shown) => shown[1]).filter((text) => text !== undefined);
  assert.ok(new Set(growing).size > 5, `shown in ${new Set(growing).size} steps`);
  assert.ok(growing.every((text) => answer.startsWith(text)));
  assert.ok(page.threadId);
  const [[state, run]] = page.finished;
  assert.equal(state.values.messages.length, 2);
  assert.deepEqual(run, page.created[0]);
  assert.equal(page.now.interrupt, undefined);
  await ask(page, "and again");
  assert.equal(texts(page).length, 4);
});

test("joins a run that goes on, after the page was loaded again", async () => {
  const gate = newGate();
  const first = openPage("hold");
  await drawn(first);
  first.now.submit({ ...said("wait"), gate }, { streamMode: ["custom", "values"] });
  await until(() => first.created.length === 1 && texts(first).length === 1);
  const { threadId } = first;
  first.close();
  const second = openPage("hold", { threadId });
  await until(() => second.now?.isLoading && texts(second).length === 1);
  writeFileSync(gate, "");
  await until(() => !second.now.isLoading && texts(second).length === 2);
  assert.deepEqual(texts(second), ["wait", "I was let go."]);
  assert.deepEqual(second.errors, []);
  const [run] = await client.runs.list(threadId);
  assert.deepEqual([run.run_id, run.status], [first.created[0].run_id, "success"]);
  assert.equal(window.sessionStorage.getItem(`lg:stream:${threadId}`), null);
});

test("shows what a run asks, also after a reload, and resumes it", async () => {
  const page = openPage("ask");
  await drawn(page);
  await ask(page, "may I?");
  await until(() => page.now.interrupt?.value !== undefined); // It may be drawn a moment later.
  assert.deepEqual(page.now.interrupt.value, { question: "Sure?" });
  page.close();
  const again = openPage("ask", { threadId: page.threadId });
  await until(() => again.now?.interrupt?.value !== undefined);
  assert.deepEqual(again.now.interrupt.value, { question: "Sure?" });
  await ask(again, undefined, { command: { resume: "certain" } });
  await until(() => texts(again).length === 2);
  assert.deepEqual(texts(again), ["may I?", "You are certain."]);
  await until(() => again.now.interrupt === undefined);
  await ask(again, "once more?");
  await until(() => again.now.interrupt?.value !== undefined);
  assert.deepEqual(again.now.interrupt.value, { question: "Sure?" });
});

test("edits a question: a branch beside the other", async () => {
  const page = openPage("talk");
  await drawn(page);
  await ask(page, "first");
  await ask(page, "second");
  const shown = page.now.messages[2];
  const about = page.now.getMessagesMetadata(shown, 2);
  const checkpoint = about.firstSeenState.parent_checkpoint;
  await page.now.submit(said("edited"), { checkpoint });
  await until(() => !page.now.isLoading);
  assert.deepEqual(page.errors, []);
  assert.deepEqual([texts(page)[0], texts(page)[2]], ["first", "edited"]);
  assert.equal(texts(page).length, 4);
  const { branch, branchOptions } = page.now.getMessagesMetadata(page.now.messages[2], 2);
  assert.equal(branchOptions.length, 2);
  page.now.setBranch(branchOptions.find((other) => other !== branch));
  await until(() => texts(page)[2] === "second");
  assert.match(texts(page)[3], /said: second$/);
  await ask(page, "on the older branch");
  const { values } = await client.threads.getState(page.threadId);
  const humans = values.messages.filter((one) => one.type === "human").map((one) => one.content);
  assert.deepEqual(humans, ["first", "second", "on the older branch"]);
});

test("regenerates an answer", async () => {
  const page = openPage("talk");
  await drawn(page);
  await ask(page, "tell me");
  const [, old] = texts(page);
  const about = page.now.getMessagesMetadata(page.now.messages[1], 1);
  await ask(page, undefined, { checkpoint: about.firstSeenState.parent_checkpoint });
  assert.equal(texts(page).length, 2);
  assert.equal(texts(page)[0], "tell me");
  assert.match(texts(page)[1], /said: tell me$/);
  assert.notEqual(texts(page)[1], old);
  const { branchOptions } = page.now.getMessagesMetadata(page.now.messages[1], 1);
  assert.equal(branchOptions.length, 2);
});

for (const reconnectOnMount of [true, false])
  test(`stops a run, ${reconnectOnMount ? "by its id" : "by leaving"}`, async () => {
    const page = openPage("hold", { reconnectOnMount });
    await drawn(page);
    page.now.submit({ ...said("wait"), gate: newGate() }, { streamMode: ["custom", "values"] });
    await until(() => page.created.length === 1 && texts(page).length === 1);
    await page.now.stop();
    await until(() => !page.now.isLoading);
    assert.deepEqual(page.errors, []);
    const { thread_id: threadId, run_id: runId } = page.created[0];
    await client.runs.join(threadId, runId);
    assert.equal((await client.runs.get(threadId, runId)).status, "interrupted");
    const gate = newGate();
    writeFileSync(gate, "");
    await page.now.submit({ ...said("go on"), gate });
    await until(() => !page.now.isLoading && texts(page).at(-1) === "I was let go.");
    assert.deepEqual(page.errors, []);
  });

test("queues, interrupts and rolls back what is said meanwhile", async () => {
  const page = openPage("hold");
  await drawn(page);
  page.now.submit({ ...said("wait"), gate: newGate() }, { streamMode: ["custom", "values"] });
  await until(() => page.created.length === 1 && texts(page).length === 1);
  const gate = newGate();
  writeFileSync(gate, "");
  page.now.submit({ ...said("rather this"), gate }, { multitaskStrategy: "rollback" });
  await until(() => page.created.length === 2 && !page.now.isLoading);
  const state = await client.threads.getState(page.threadId);
  const humans = state.values.messages.filter((one) => one.type === "human");
  assert.deepEqual(humans.map((one) => one.content), ["rather this"]);
  await until(() => texts(page).length === 2);
});

test("shows why a run failed", async () => {
  const page = openPage("talk");
  await drawn(page);
  await page.now.submit({ messages: 7 });
  await until(() => !page.now.isLoading);
  assert.equal(page.errors.length, 1);
  assert.match(String(page.now.error.message), /./);
  await page.now.submit(said("and now?"));
  await until(() => !page.now.isLoading);
  assert.match(texts(page).at(-1), /said: and now\?$/);
});
