"""Record what ``langgraph dev`` answers, or show where a server differs from the record.

``python -m tests.server.parity files FOLDER`` writes the graphs and a ``langgraph.json``; start
``langgraph dev --no-browser --no-reload --port PORT`` there. ``… record URL VERSION`` asks it and
keeps its answers; ``… show URL`` compares another server's.
"""

import asyncio
import json
import sys
from pathlib import Path

from langgraph_sdk import get_client

from tests.server.parity import graphs
from tests.server.parity.compare import differences, plain
from tests.server.parity.steps import answers

RECORD = Path(__file__).with_name("recorded.json")


def write_files(folder: Path) -> None:
    """Write the graphs, and a ``langgraph.json`` that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parity_graphs.py").write_text(Path(graphs.__file__).read_text())
    named = {name: f"./parity_graphs.py:{name}" for name in graphs.GRAPHS}
    (folder / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": named}))


async def asked(url: str) -> dict[str, object]:
    """Return a server's answers."""
    async with get_client(url=url, timeout=60) as client:
        return {name: plain(answer) for name, answer in (await answers(client)).items()}


def main() -> None:
    match sys.argv[1:]:
        case ["files", folder]:
            write_files(Path(folder))
        case ["record", url, version]:
            kept = {"version": version, "answers": asyncio.run(asked(url))}
            RECORD.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n")
        case ["show", url]:
            theirs = json.loads(RECORD.read_text())["answers"]
            for name, ours in asyncio.run(asked(url)).items():
                for one in differences(name, theirs.get(name), ours):
                    sys.stdout.write(f"{one}\n")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
