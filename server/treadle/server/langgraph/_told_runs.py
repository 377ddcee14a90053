"""A run's events in the words of the protocol of LangChain's streams."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.shareable import shareable
from treadle.runtime.queue import StreamedEvent
from treadle.runtime.runs import Run, RunStatus
from treadle.server.langgraph._told_messages import MessageTeller

Namespace = tuple[str, ...]
_INTERRUPT = "__interrupt__"
_ENDED = {
    RunStatus.SUCCESS: "completed",
    RunStatus.INTERRUPTED: "interrupted",
    RunStatus.ERROR: "failed",
    RunStatus.TIMEOUT: "failed",
    RunStatus.CANCELLED: "failed",
}


@dataclass(frozen=True)
class Told:
    """Something that is told: by which method, of which namespace, and what."""

    method: str
    namespace: Namespace
    data: Any

    @property
    def channel(self) -> str:
        """By which channel it is subscribed to."""
        return "input" if self.method == "input.requested" else self.method


class RunTeller:
    """Tells what one run streams; the same events are always told in the same way.

    Args:
        graph_name: the name of the run's graph.
    """

    def __init__(self, graph_name: str) -> None:
        self._graph_name = graph_name
        self._messages: dict[Namespace, MessageTeller] = {}
        # In their order: every teller of the run knows the same, word for word.
        self._subgraphs: dict[Namespace, None] = {}
        self._calls: dict[str, None] = {}
        self._asked: dict[str, None] = {}
        self._tellers = {
            "metadata": self._running,
            "values": self._values,
            "updates": self._updates,
            "messages": self._message,
            "tasks": self._task,
            "custom": _custom,
            "checkpoints": _checkpoint,
        }

    @property
    def is_between_messages(self) -> bool:
        """Whether every message that has begun is at its end."""
        return not any(teller.is_telling for teller in self._messages.values())

    def known(self) -> dict[str, Any]:
        """Return what must be known to go on between messages, as JSON."""
        found = {"subgraphs": [list(one) for one in self._subgraphs]}
        return {**found, "calls": list(self._calls), "asked": list(self._asked)}

    def know(self, known: Mapping[str, Any]) -> None:
        """Go on where another teller stopped that knew this."""
        self._subgraphs = dict.fromkeys(tuple(one) for one in known["subgraphs"])
        self._calls, self._asked = dict.fromkeys(known["calls"]), dict.fromkeys(known["asked"])

    def tell(self, event: StreamedEvent) -> Iterator[Told]:
        """Yield what an event of the run tells."""
        mode, *namespace = event.name.split("|")
        yield from self._begun(tuple(namespace))
        if teller := self._tellers.get(mode):
            yield from teller(tuple(namespace), json.loads(event.data))

    def end(self, run: Run) -> Iterator[Told]:
        """Yield that the run is at its end, or waits for a person."""
        for namespace in self._messages:
            yield from self._finished(namespace)
        event = _ENDED[run.status]
        error = {"error": shareable(run.error)} if event == "failed" else {}
        yield self._lifecycle((), event, self._graph_name, **error)

    def _running(self, namespace: Namespace, _: Any) -> Iterator[Told]:
        yield self._lifecycle(namespace, "running", self._graph_name)

    def _begun(self, namespace: Namespace) -> Iterator[Told]:
        """Yield that a subgraph has begun, when it is first heard of."""
        if namespace and namespace not in self._subgraphs:
            self._subgraphs[namespace] = None
            name, _, task = namespace[-1].partition(":")
            more = {"namespace": list(namespace), "trigger_call_id": task}
            yield self._lifecycle(namespace, "started", name, **more)

    def _values(self, namespace: Namespace, state: Any) -> Iterator[Told]:
        asked = state.pop(_INTERRUPT, []) if isinstance(state, dict) else []
        yield Told("values", namespace, state)
        for one in asked:
            if one["id"] not in self._asked:
                self._asked[one["id"]] = None
                told = {"payload": one["value"], "value": one["value"]}
                yield Told("input.requested", (), {"interrupt_id": one["id"], **told})

    def _updates(self, namespace: Namespace, changes: Any) -> Iterator[Told]:
        yield from self._finished(namespace)
        for node, values in changes.items():
            if node != _INTERRUPT:
                yield Told("updates", namespace, {"node": node, "values": values})

    def _message(self, namespace: Namespace, piece: Any) -> Iterator[Told]:
        message, about = piece
        if message["type"] == "tool":
            yield from self._tool_ended(namespace, message)
        elif message["type"] in {"ai", "AIMessageChunk"}:
            teller = self._messages.setdefault(namespace, MessageTeller())
            yield from self._said(namespace, teller.tell(message, about))

    def _said(self, namespace: Namespace, told: Iterator[dict[str, Any]]) -> Iterator[Told]:
        for data in told:
            yield Told("messages", namespace, data)
            block = data.get("content", {})
            if data["event"] == "content-block-finish" and block["type"] == "tool_call":
                yield from self._tool_started(namespace, block)

    def _tool_started(self, namespace: Namespace, call: dict[str, Any]) -> Iterator[Told]:
        self._calls[str(call["id"])] = None
        about = {"tool_call_id": call["id"], "tool_name": call["name"], "input": call["args"]}
        yield Told("tools", namespace, {"event": "tool-started", **about})

    def _tool_ended(self, namespace: Namespace, message: dict[str, Any]) -> Iterator[Told]:
        call_id, content = message["tool_call_id"], message["content"]
        if call_id not in self._calls:
            return
        del self._calls[call_id]
        if message.get("status") == "error":
            data = {"event": "tool-error", "tool_call_id": call_id, "message": str(content)}
        else:
            data = {"event": "tool-finished", "tool_call_id": call_id, "output": content}
        yield Told("tools", namespace, data)

    def _task(self, namespace: Namespace, task: dict[str, Any]) -> Iterator[Told]:
        if "result" in task:
            yield from self._finished(namespace)
        yield Told("tasks", namespace, task)
        inner = (*namespace, f"{task['name']}:{task['id']}")
        if "result" not in task or inner not in self._subgraphs:
            return
        failed = {"error": str(task["error"])} if task.get("error") else {}
        event = "failed" if failed else "interrupted" if task.get("interrupts") else "completed"
        yield self._lifecycle(inner, event, task["name"], **failed)

    def _finished(self, namespace: Namespace) -> Iterator[Told]:
        if teller := self._messages.get(namespace):
            yield from self._said(namespace, teller.finish())

    def _lifecycle(self, namespace: Namespace, event: str, graph: str, /, **more: Any) -> Told:
        return Told("lifecycle", namespace, {"event": event, "graph_name": graph, **more})


def _custom(namespace: Namespace, payload: Any) -> Iterator[Told]:
    name = payload.get("name") if isinstance(payload, dict) else None
    named = {"name": name} if isinstance(name, str) else {}
    yield Told("custom", namespace, {**named, "payload": payload})


def _checkpoint(namespace: Namespace, kept: dict[str, Any]) -> Iterator[Told]:
    parent = (kept["parent_config"] or {}).get("configurable", {}).get("checkpoint_id")
    yield Told(
        "checkpoints",
        namespace,
        {
            "id": kept["config"]["configurable"]["checkpoint_id"],
            **({"parent_id": parent} if parent else {}),
            "step": kept["metadata"]["step"],
            "source": kept["metadata"]["source"],
        },
    )
