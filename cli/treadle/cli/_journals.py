"""``treadle test``."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from treadle.cli._console import counted, err, out, print_json
from treadle.cli._opening import Opening
from treadle.cli._runs import print_difference
from treadle.cli._safe import visible
from treadle.core.errors import InputError, TreadleError
from treadle.core.settings import project_folder
from treadle.runtime import Runtime, rerecord
from treadle.runtime.runs import JournalFile, Replay, Replayer, journal_files


@dataclass(frozen=True)
class _Result:
    """What came of one journal: its replay, or why there is none."""

    path: Path
    replay: Replay | None = None
    error: str = ""
    is_updated: bool = False

    @property
    def is_same(self) -> bool:
        return self.replay is not None and self.replay.difference is None


def replay_journals(opening: Opening, folder: Path, *, update: bool, as_json: bool) -> None:
    """Replay every journal of a folder; leave with 1 where one differs.

    Raises:
        InputError: the folder does not exist or holds no journal.
    """
    files = journal_files(folder)
    if not files:
        raise InputError(
            f"{folder} holds no journals.",
            hint=f"Export one: treadle runs export RUN -o {folder}/NAME.journal.jsonl",
        )
    results = asyncio.run(_replayed(opening, files))
    differing = [one.path for one in results if one.replay is not None and not one.is_same]
    if update and differing:
        updated = opening.run(lambda runtime: _updated(runtime, differing))
        results = [updated.get(one.path, one) for one in results]
    if as_json:
        print_json([_data(one) for one in results])
    else:
        for one in results:
            _print(one, folder)
        _print_sum(results)
    if not all(one.is_same or one.is_updated for one in results):
        raise typer.Exit(1)


async def _replayed(opening: Opening, files: Sequence[Path]) -> list[_Result]:
    replayer = Replayer(project_folder(opening.project), opening.settings())
    results = []
    for path in files:
        try:
            file = JournalFile.read(path)
            results.append(_Result(path, await replayer.replay(file, replayer.current(file))))
        except TreadleError as error:
            results.append(_Result(path, error=str(error)))
    return results


async def _updated(runtime: Runtime, files: Sequence[Path]) -> dict[Path, _Result]:
    results = {}
    for path in files:
        try:
            await rerecord(runtime, path)
            results[path] = _Result(path, is_updated=True)
        except TreadleError as error:
            results[path] = _Result(path, error=str(error))
    return results


def _print(result: _Result, folder: Path) -> None:
    name = visible(str(result.path.relative_to(folder)))
    if result.is_same and result.replay is not None:
        told = counted(result.replay.calls, "call")
        out.print(Text.assemble(("✓ ", "green"), name, (f"  {told}", "dim")), soft_wrap=True)
    elif result.is_updated:
        out.print(Text.assemble(("↻ ", "yellow"), name, ("  recorded anew", "dim")), soft_wrap=True)
    else:
        out.print(Text.assemble(("✗ ", "red"), name), soft_wrap=True)
        if result.error:
            out.print(Text(f"  {visible(result.error)}", style="red"))
        elif result.replay is not None and result.replay.difference is not None:
            for one in (result.replay.difference, *result.replay.changes):
                print_difference(one)


def _print_sum(results: Sequence[_Result]) -> None:
    same = sum(one.is_same for one in results)
    updated = sum(one.is_updated for one in results)
    parts = [f"{same} the same", f"{updated} recorded anew", f"{len(results) - same - updated} not"]
    told = [part for part in parts if not part.startswith("0 ")]
    err.print(", ".join(told) + ".", style="dim", highlight=False)


def _data(result: _Result) -> dict[str, object]:
    difference = result.replay.difference if result.replay else None
    return {
        "file": str(result.path),
        "same": result.is_same,
        "updated": result.is_updated,
        "calls": result.replay.calls if result.replay else 0,
        "difference": difference.to_dict() if difference else None,
        "error": result.error,
    }
