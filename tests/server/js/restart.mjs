// LangGraph's client for JavaScript, while its server is stopped and another takes its place.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Client } from "@langchain/langgraph-sdk";

const { URL, FOLDER, GATE } = process.env;
const [RUNS, READERS, STEPS, AFTER] = ["RUNS", "READERS", "STEPS", "AFTER"].map((name) =>
  Number(process.env[name]),
);
// How long the next server takes to start says how busy the machine is.
const client = new Client({ apiUrl: URL, callerOptions: { maxRetries: 7 } });
const asked = {
  input: { messages: [], steps: STEPS, gate: GATE },
  streamMode: ["custom", "values"],
  config: { recursion_limit: STEPS + 5 },
};
let begun = 0;
const hasBegun = () => {
  begun += 1;
  if (begun === RUNS * READERS) writeFileSync(join(FOLDER, "begun"), "");
};
const read = async (stream, after) => {
  const parts = [];
  for await (const part of stream) {
    parts.push(part);
    if (parts.length === after) hasBegun();
  }
  return parts;
};
const follow = (run) =>
  client.runs.joinStream(run.thread_id, run.run_id, { lastEventId: "-1" });

test("every stream goes on at the next server, and misses and repeats nothing", async () => {
  const runs = [];
  const reading = [];
  for (let number = 0; number < RUNS; number += 1) {
    // One reader of each run started it: it goes on by the address that the server named.
    const { thread_id } = await client.threads.create();
    let created;
    const started = new Promise((resolve) => (created = resolve));
    const own = client.runs.stream(thread_id, "count_up", { ...asked, onRunCreated: created });
    reading.push([read(own, AFTER)]);
    runs.push(await started);
    for (let reader = 1; reader < READERS; reader += 1)
      reading[number].push(read(follow(runs[number]), AFTER));
  }
  const had = await Promise.all(reading.map((of) => Promise.all(of)));
  for (const [number, run] of runs.entries()) {
    const whole = await read(follow(run));
    assert.equal(whole.at(-1).event, "end");
    const steps = whole.filter((part) => part.event === "custom").map((part) => part.data.step);
    const all = Array.from({ length: STEPS }, (_, step) => step);
    assert.deepEqual([...new Set(steps)].sort((a, b) => a - b), all);
    for (const parts of had[number]) assert.deepEqual(parts, whole);
  }
});
