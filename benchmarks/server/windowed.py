"""What a turn over HTTP costs on a thread of more and more turns, behind a window of memory.

``python -m benchmarks.server.windowed [turns...]``: one agent file with a window of 4,000 tokens
(`docs/window.md`) and a scripted model in a process of its own, served by ``treadle serve``. Each
turn says 500 characters, waits for the answer through LangGraph's client, and gets the state of
the thread. Printed for each number of turns, over 20 turns: how long a turn takes, the CPU time of
the server and its Redis, and the bytes of the answer.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing import Process, Queue
from pathlib import Path

from benchmarks.server.runs import serving, spread, timed, used
from langgraph_sdk import get_client

from treadle.runtime.testing import ScriptedOpenAI, say

TURNS = (50, 100, 400)
COUNTED = 20
AGENT = "description: Talks.\nmemory:\n  window_tokens: 4000\n"
SETTINGS = """model = "scripted"

[models.scripted]
model = "openai:gpt-5-mini"
base_url = "{url}"
api_key_env = "SCRIPTED_KEY"
"""


def answer(served: "Queue[tuple[str, str]]") -> None:
    """Serve a model that answers at once, until the process is ended; tell where, and the key."""
    with ScriptedOpenAI(lambda _: say("I see. " + "y" * 250)) as server:
        served.put((server.base_url, server.api_key))
        threading.Event().wait()


async def measure(url: str, pids: Sequence[int], turns: Sequence[int]) -> None:
    """Print the figures."""
    async with get_client(url=url, timeout=60) as client:
        thread = (await client.threads.create())["thread_id"]
        done, sizes = 0, [0]

        async def turn() -> None:
            nonlocal done
            done += 1
            said = {"messages": [{"role": "user", "content": f"{done} " + "x" * 500}]}
            state = await client.runs.wait(thread, "talker", input=said)
            sizes.append(len(json.dumps(state)))

        for wanted in turns:
            while done < wanted:
                await turn()
            begun = used(pids)
            took = [await timed(turn) for _ in range(COUNTED)]
            cpu = (used(pids) - begun) / COUNTED * 1e3
            size = statistics.median(sizes[-COUNTED:]) / 1e3
            row = f"{f'a turn after {wanted} turns':<24} {spread(took)}"
            print(f"{row}   CPU {cpu:.1f} ms   state {size:.1f} kB")


def main() -> None:
    """Serve the agent, and measure it."""
    turns = [int(number) for number in sys.argv[1:]] or TURNS
    served: Queue[tuple[str, str]] = Queue()
    model = Process(target=answer, args=(served,), daemon=True)
    model.start()
    base_url, key = served.get()
    with tempfile.TemporaryDirectory(prefix="treadle-", dir="/tmp") as folder:
        project = Path(folder) / "project"
        (project / "agents").mkdir(parents=True)
        (project / "agents" / "talker.yaml").write_text(AGENT)
        (project / "treadle.toml").write_text(SETTINGS.format(url=base_url))
        with serving(folder, SCRIPTED_KEY=key) as (url, pids):
            asyncio.run(measure(url, pids, turns))
    model.terminate()


if __name__ == "__main__":
    main()
