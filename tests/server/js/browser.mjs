// LangGraph's hook for React in Chromium: the page comes from another origin than the server's.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, afterEach, before, beforeEach } from "node:test";
import { Client } from "@langchain/langgraph-sdk";
import {
  browser, document, has, keep, open, rests, say, shows, site, texts, until,
} from "./browser_support.mjs";

const SERVER = process.env.URL;
const client = new Client({ apiUrl: SERVER });
const CHAT = process.env.ORIGIN;
const answer = (text) => new RegExp(`^This is answer \\d+ to what you said: ${text}$`);
const newGate = () => join(process.env.FOLDER, `gate-${Math.random()}`);
const threadOf = (page) => new URL(page.url()).searchParams.get("thread");
let chromium, html, chat, context;

before(async () => {
  [chromium, html] = await Promise.all([browser(), document()]);
  chat = await site(html, { port: new URL(CHAT).port });
});
after(async () => {
  await chromium?.close();
  chat?.close();
});
beforeEach(async () => { context = await chromium.newContext(); });
afterEach(async ({ name }) => {
  for (const page of context.pages()) await keep(page, name);
  await context.close();
});

test("submits, and shows an answer while it grows", async () => {
  const page = await open(context, CHAT, "talk");
  await page.evaluate(() => {
    window.seen = new Set();
    const look = () => window.seen.add(document.querySelectorAll("li span")[1]?.textContent);
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await say(page, "hello");
  await shows(page, "hello", answer("hello"));
  await rests(page);
  const whole = (await texts(page))[1];
  const seen = (await page.evaluate(() => [...window.seen])).filter(Boolean);
  assert.ok(seen.length > 5, `shown in ${seen.length} steps`);
  assert.ok(seen.every((text) => whole.startsWith(text)));
  await say(page, "more");
  await shows(page, "hello", whole, "more", answer("more"));
});

test("joins the run that goes on when the page is loaded again", async () => {
  const gate = newGate();
  const page = await open(context, CHAT, "hold", { input: { gate } });
  await say(page, "wait");
  await has(page, "#told:text('waiting')");
  await page.reload();
  await has(page, "#state:text-is('at work')");
  await shows(page, "wait");
  writeFileSync(gate, "");
  await shows(page, "wait", "I was let go.");
  await rests(page);
  const threadId = threadOf(page);
  assert.deepEqual((await client.runs.list(threadId)).map((run) => run.status), ["success"]);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test("asks a person, also after the page is loaded again, and goes on with the answer", async () => {
  const page = await open(context, CHAT, "ask");
  await say(page, "may I?");
  await has(page, "#asks:text('Sure?')");
  await page.reload();
  await page.click("#asks button");
  await shows(page, "may I?", "You are certain.");
  await page.waitForSelector("#asks", { state: "detached" });
});

test("edits a question, and shows both branches", async () => {
  const page = await open(context, CHAT, "talk");
  await say(page, "first");
  await shows(page, "first", answer("first"));
  await rests(page);
  await say(page, "second");
  await shows(page, "first", answer("first"), "second", answer("second"));
  await rests(page);
  await page.fill("input", "edited");
  await page.click("li:nth-child(3) .edit");
  await shows(page, "first", answer("first"), "edited", answer("edited"));
  await page.click("li:nth-child(3) .other");
  await shows(page, "first", answer("first"), "second", answer("second"));
});

test("regenerates an answer", async () => {
  const page = await open(context, CHAT, "talk");
  await say(page, "tell me");
  await shows(page, "tell me", answer("tell me"));
  await rests(page);
  const [, old] = await texts(page);
  await page.click(".again");
  await until(async () => (await texts(page))[1] !== old);
  await shows(page, "tell me", answer("tell me"));
  await rests(page);
  assert.notEqual((await texts(page))[1], old);
  await page.click("li:nth-child(2) .other");
  await shows(page, "tell me", old);
});

test("stops a run", async () => {
  const page = await open(context, CHAT, "hold", { input: { gate: newGate() } });
  await say(page, "wait");
  await has(page, "#told:text('waiting')");
  await page.click("#stop");
  await rests(page);
  const status = async () => (await client.runs.list(threadOf(page)))[0].status;
  await until(async () => (await status()) === "interrupted", status);
  assert.equal(await page.locator("#error").count(), 0);
});

test("goes on where it was when the network is cut", async (t) => {
  const network = await site("", { onward: SERVER });
  t.after(network.close);
  const api = `http://127.0.0.1:${network.port}`;
  const page = await open(context, CHAT, "count_up", { api, input: { steps: 20 } });
  await say(page, "count");
  await has(page, "#told:text('3')");
  network.isDown = true;
  network.cut();
  await page.waitForEvent("requestfailed", (one) => one.url().startsWith(api));
  network.isDown = false;
  const all = Array.from({ length: 20 }, (_, step) => step).join(" ");
  await has(page, `#told:text-is('${all}')`);
  await rests(page);
  assert.equal(await page.locator("#error").count(), 0);
  const joined = network.passed.filter((one) => one.headers["last-event-id"]);
  assert.ok(joined.length >= 1, "it never came back");
});

/** Return how many threads the server has. */
const threads = () => client.threads.count();

test("refuses a page of an origin that is not listed", async (t) => {
  const evil = await site(html);
  t.after(evil.close);
  const before = await threads();
  const page = await open(context, `http://evil.example:${evil.port}`, "talk");
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  await say(page, "hello");
  await has(page, "#error:text('fetch')");
  assert.match(said.join("\n"), /blocked by CORS policy/);
  // What needs no leave from a browser: a plain request, a form, and reading by inclusion.
  const sent = await page.evaluate(async (url) => {
    const body = JSON.stringify({ assistant_id: "talk", input: { messages: [] } });
    const options = { method: "POST", mode: "no-cors", body };
    await fetch(`${url}/runs`, options).catch(() => {});
    await fetch(`${url}/threads`, { ...options, body: "{}" }).catch(() => {});
    return fetch(`${url}/info`, { mode: "no-cors" }).then(() => "read", () => "refused");
  }, SERVER);
  assert.equal(sent, "refused");
  const [posted] = await Promise.all([
    page.waitForResponse(`${SERVER}/threads`),
    page.evaluate((url) => {
      const form = Object.assign(document.createElement("form"), {
        method: "POST", action: `${url}/threads`, enctype: "text/plain",
      });
      form.append(Object.assign(document.createElement("input"), { name: "{}" }));
      document.body.append(form);
      form.submit();
    }, SERVER),
  ]);
  assert.equal(posted.status(), 403);
  assert.equal(await threads(), before);
});

test("refuses a page whose name was made to lead to the server", async (t) => {
  const rebound = await site("<p>A page.</p>", { onward: SERVER });
  t.after(rebound.close);
  const start = () => fetch("/threads", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
  }).then((answer) => answer.status);
  const before = await threads();
  const page = await context.newPage();
  await page.goto(`http://evil.example:${rebound.port}/`);
  assert.equal(await page.evaluate(start), 421);
  assert.equal(await threads(), before);
  await page.goto(`http://127.0.0.1:${rebound.port}/`); // By its own name it is let in.
  assert.equal(await page.evaluate(start), 200);
  assert.equal(await threads(), before + 1);
});

test("shows the API's description with nothing from elsewhere", async () => {
  const page = await context.newPage();
  const asked = [], said = [];
  page.on("request", (one) => asked.push(new URL(one.url()).origin));
  page.on("console", (message) => said.push(message.text()));
  await page.goto(`${SERVER}/docs`);
  assert.ok((await page.locator("td code").allTextContents()).includes("POST /threads"));
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `the page is ${width} px too wide`);
  await keep(page, "docs");
  const [got] = await Promise.all([page.waitForResponse(/openapi/), page.click("p a")]);
  assert.ok((await got.json()).paths["/threads"]);
  assert.deepEqual(new Set(asked), new Set([SERVER]));
  assert.deepEqual(said, []);
});
