"""What one run costs: two model calls and one tool call, against the same provider on loopback.

Each stack runs in processes of its own, in turn with the others, as other work on the machine
comes and goes; the quietest of its rounds counts. The peers are no dependency; they get an
environment of their own, and those that are not installed are left out::

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install "pydantic-ai-slim[openai]" openai-agents agno openai
    python -m benchmarks.runs.cost --peers /tmp/peers/bin/python

Columns: Python and C function calls a run as cProfile counts them on the event loop's thread; CPU
of the process a run (median of a round), in ms, all threads, and as a ratio to ``create_agent``
with ``InMemorySaver``, which keeps nothing; for Redis the commands it executed a run (those of
scripts too), round trips (as the server counts its reads), and bytes sent and received. The
hottest functions of one stack::

    python -m benchmarks.runs.cost --profile "treadle runtime, Redis"
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.runs.contestants import STACKS, Run, version_of

ROOT = Path(__file__).parents[2]
WARM_UP, COUNTED, TIMED, ROUNDS = 20, 10, 80, 4


async def measured(name: str, url: str) -> dict[str, Any]:
    """Return the figures of one stack."""
    async with STACKS[name][0](url) as run:
        for _ in range(WARM_UP):
            answer = await run()
        assert "four" in str(answer), answer
        figures = await _redis_of(run) if hasattr(run, "redis") else {}
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(COUNTED):
            await run()
        profile.disable()
        calls = pstats.Stats(profile).total_calls / COUNTED
        times = [await _cpu_ms(run) for _ in range(TIMED)]
        return {
            "version": version_of(name),
            "calls": round(calls),
            "cpu_ms": statistics.median(times),
            **figures,
        }


async def _cpu_ms(run: Run) -> float:
    started = time.process_time()
    await run()
    return (time.process_time() - started) * 1000


async def _redis_of(run: Any) -> dict[str, float]:
    """Return what a run asks of Redis, on average."""
    redis = run.redis
    before = await redis.info("all")
    for _ in range(COUNTED):
        await run()
    after = await redis.info("all")
    # The server reads once for each piece that is sent, be it one command or many.
    trips = after["total_reads_processed"] - before["total_reads_processed"] - 1
    commands = _commands(after) - _commands(before)
    traffic = {
        way: after[f"total_net_{way}_bytes"] - before[f"total_net_{way}_bytes"] for way in _WAYS
    }
    return {
        "commands": commands / COUNTED,
        "round_trips": trips / COUNTED,
        "sent_bytes": traffic["input"] / COUNTED,
        "received_bytes": traffic["output"] / COUNTED,
    }


_WAYS = ("input", "output")


def _commands(info: dict[str, Any]) -> int:
    counted = (k for k in info if k.startswith("cmdstat_") and k != "cmdstat_info")
    return sum(info[k]["calls"] for k in counted)


async def profiled(name: str, url: str) -> None:
    """Print the hottest functions of one stack."""
    async with STACKS[name][0](url) as run:
        for _ in range(WARM_UP):
            await run()
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(100):
            await run()
        profile.disable()
    stats = pstats.Stats(profile)
    stats.sort_stats("tottime").print_stats(45)
    stats.sort_stats("cumtime").print_stats(110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--only", help="measure this stack alone")
    parser.add_argument("--profile", help="print the hottest functions of this stack")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(asyncio.run(measured(*chosen.measure))))
        return
    command = [sys.executable, "-m", "benchmarks.runs.provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as provider:
        assert provider.stdout is not None
        url = provider.stdout.readline().strip()
        try:
            if chosen.profile:
                asyncio.run(profiled(chosen.profile, url))
            else:
                names = [chosen.only] if chosen.only else list(STACKS)
                rounds = [
                    {name: _in_a_process(name, url, chosen.peers) for name in names}
                    for _ in range(ROUNDS)
                ]
                print(table({name: _quietest([one[name] for one in rounds]) for name in names}))
        finally:
            provider.terminate()


def _in_a_process(name: str, url: str, peers: str) -> dict[str, Any] | None:
    python = sys.executable if STACKS[name][1] in {"treadle", "langchain"} else peers
    command = [python, "-m", "benchmarks.runs.cost", "--measure", name, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _quietest(rows: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    return min((row for row in rows if row), key=lambda row: row["cpu_ms"], default=None)


def table(rows: dict[str, dict[str, Any] | None]) -> str:
    """Return the figures as a Markdown table."""
    found = {name: row for name, row in rows.items() if row is not None}
    base = found.get(next(iter(STACKS)), {}).get("cpu_ms")
    heads = "stack, version, calls, CPU (ms), ratio, commands, round trips, sent, received"
    lines = [f"| {' | '.join(heads.split(', '))} |", "|---|---|--:|--:|--:|--:|--:|--:|--:|"]
    for name, row in found.items():
        ratio = f"{row['cpu_ms'] / base:.2f}" if base else ""
        redis = [
            f"{row[part]:,.1f}" if part in row else ""
            for part in ("commands", "round_trips", "sent_bytes", "received_bytes")
        ]
        cells = [name, row["version"], f"{row['calls']:,}", f"{row['cpu_ms']:.2f}", ratio, *redis]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
