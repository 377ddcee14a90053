// A page to talk on, with `useStream`, as a site of another origin than the server's has it.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useStream } from "@langchain/langgraph-sdk/react";

const asked = new URLSearchParams(location.search);
const further = JSON.parse(asked.get("input") ?? "{}");

function Message({ stream, message, index, said }) {
  const { branch, branchOptions, firstSeenState } =
    stream.getMessagesMetadata(message, index) ?? {};
  const checkpoint = firstSeenState?.parent_checkpoint;
  const other = branchOptions?.find((one) => one !== branch);
  const edit = () => stream.submit(said(), { checkpoint });
  const again = () => stream.submit(undefined, { checkpoint });
  return (
    <li>
      <span>{message.content}</span>
      {message.type === "human"
        ? <button className="edit" disabled={!checkpoint} onClick={edit}>Edit</button>
        : <button className="again" disabled={!checkpoint} onClick={again}>Again</button>}
      {other !== undefined &&
        <button className="other" onClick={() => stream.setBranch(other)}>Other</button>}
    </li>
  );
}

function Chat() {
  const [threadId, setThreadId] = useState(asked.get("thread"));
  const [text, setText] = useState("");
  const [told, setTold] = useState([]);
  const stream = useStream({
    apiUrl: asked.get("api"), assistantId: asked.get("agent"), threadId,
    reconnectOnMount: true, fetchStateHistory: true, throttle: false,
    onThreadId(id) {
      setThreadId(id);
      asked.set("thread", id);
      history.replaceState(null, "", `?${asked}`);
    },
    onCustomEvent: (event) => setTold((before) => [...before, event.step ?? "waiting"]),
  });
  const said = () => ({ ...further, messages: [{ type: "human", content: text }] });
  return (
    <main>
      <h1>{asked.get("agent")}</h1>
      <ol>{stream.messages.map((message, index) =>
        <Message key={message.id ?? index} {...{ stream, message, index, said }} />)}</ol>
      <p id="told">{told.join(" ")}</p>
      {stream.interrupt?.value !== undefined &&
        <p id="asks">{stream.interrupt.value.question}
          <button onClick={() => stream.submit(undefined, { command: { resume: "certain" } })}>
            Agree
          </button></p>}
      {stream.error && <p id="error">{String(stream.error.message)}</p>}
      <input value={text} onChange={(event) => setText(event.target.value)} />
      <button id="send" onClick={() => stream.submit(said())}>Send</button>
      <button id="stop" onClick={() => stream.stop()}>Stop</button>
      <p id="state">{stream.isLoading || stream.isThreadLoading ? "at work" : "at rest"}</p>
    </main>
  );
}

createRoot(document.body.appendChild(document.createElement("div"))).render(<Chat />);
