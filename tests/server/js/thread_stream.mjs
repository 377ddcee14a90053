// A thread as one conversation: `client.threads.stream`, over server-sent events and a WebSocket.
import assert from "node:assert/strict";
import test from "node:test";
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.env.URL });
const said = (text) => ({ messages: [{ type: "human", content: text }] });
const threadWith = (transport, id) => {
  const options = { assistantId: "ask", transport };
  return id ? client.threads.stream(id, options) : client.threads.stream(options);
};
const next = async (thread, wanted) => {
  const subscription = await thread.subscribe({ channels: ["lifecycle"] });
  for await (const event of subscription)
    if (wanted.includes(event.params.data.event) && !event.params.namespace.length) return event;
};

for (const transport of ["sse", "websocket"]) {
  test(`a run asks, is answered and ends, over ${transport}`, async () => {
    const thread = threadWith(transport);
    try {
      await thread.run.start({ input: said("May I?") });
      await next(thread, ["interrupted"]);
      while (!thread.interrupts.length) await new Promise((done) => setTimeout(done, 10));
      const [{ interruptId }] = thread.interrupts;
      const update = { messages: [{ type: "ai", content: "a card beside the answer" }] };
      await thread.input.respond({ interrupt_id: interruptId, response: "yes", update });
      const values = await thread.output;
      const texts = values.messages.map((message) => message.content);
      assert.ok(texts.includes("a card beside the answer"), JSON.stringify(texts));
    } finally {
      await thread.close();
    }
    const runs = await client.runs.list(thread.threadId);
    assert.deepEqual(runs.map((run) => run.status), ["success"]);
  });

  test(`what cannot be done is said, over ${transport}`, async () => {
    const thread = threadWith(transport);
    try {
      await assert.rejects(thread.state.get({ namespace: [] }), /not served/);
      await assert.rejects(thread.run.start({ input: 1 }), /input/);
    } finally {
      await thread.close();
    }
  });
}
