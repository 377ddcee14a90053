"""A journal as one file: lines of JSON that another machine, or another program, can read.

The first line names the format and the run, then come the long texts, the entries in order, and a
last line with the number of lines before it and their SHA-256: a file that was cut off or edited
by hand is told apart from a whole one.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.core.errors import InputError
from treadle.runtime.journal import (
    VERSION,
    Entry,
    Journal,
    JournalError,
    check_version,
    joined,
    split,
)

FORMAT = "treadle-journal"
SUFFIX = ".journal.jsonl"
"""How the names of exported journals end."""

MAX_BYTES = 256 << 20
"""The largest file that is read."""


@dataclass(frozen=True)
class JournalFile:
    """A run's journal with the state its thread was in before, as it is exported.

    Attributes:
        journal: the journal.
        before: the checkpoint that the run went on from, as data; ``None`` on a new thread.
    """

    journal: Journal
    before: Mapping[str, Any] | None

    def to_text(self) -> str:
        """Return the file's text."""
        blobs = dict(self.journal.blobs)
        head = {
            "format": FORMAT,
            "version": VERSION,
            "run": dict(self.journal.run),
            "before": split(self.before, blobs) if self.before is not None else None,
        }
        entries = [
            {
                "id": entry.id,
                "type": entry.type,
                "attempt": entry.attempt,
                "data": split(entry.data, blobs),
            }
            for entry in self.journal.entries
        ]
        texts = [{"blob": name, "text": text} for name, text in sorted(blobs.items())]
        lines = [json.dumps(line, ensure_ascii=False) for line in (head, *texts, *entries)]
        end = json.dumps({"end": len(lines), "sha256": _digest(lines)})
        return "\n".join((*lines, end)) + "\n"

    @classmethod
    def from_text(cls, text: str, name: str = "the journal") -> "JournalFile":
        """Read a file's text.

        Args:
            text: the text.
            name: what errors call it.

        Raises:
            JournalError: it is no journal, is cut off or edited, or of a newer version.
        """
        lines = text.split("\n")
        while lines and not lines[-1]:
            lines.pop()
        head = _parsed(lines[0] if lines else "", name, 1)
        if head.get("format") != FORMAT:
            raise JournalError(f"{name} is no journal.", hint="Export one: 'treadle runs export'.")
        check_version(int(head.get("version", 0)), name)
        _check_end(lines, name)
        blobs: dict[str, str] = {}
        entries: list[Entry] = []
        for number, line in enumerate(lines[1:-1], start=2):
            data = _parsed(line, name, number)
            if "blob" in data:
                blobs[str(data["blob"])] = str(data["text"])
            else:
                entries.append(_entry(data, blobs, name, number))
        if not isinstance(head.get("run"), Mapping):
            raise JournalError(f"{name}, line 1 names no run.")
        return cls(Journal(head["run"], tuple(entries), blobs), joined(head["before"], blobs))

    @classmethod
    def read(cls, path: Path) -> "JournalFile":
        """Read a file.

        Raises:
            InputError: it cannot be read or is too large.
            JournalError: as for `from_text`.
        """
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB.")
            return cls.from_text(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise JournalError(f"{path} is no journal: it is not UTF-8 text.") from None

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; what is no file, a pipe for example, as it goes.

        Raises:
            InputError: it cannot be written.
        """
        part = path.with_name(f".{path.name}.part")
        try:
            if path.exists() and not path.is_file():
                path.write_text(self.to_text(), encoding="utf-8", newline="\n")
                return
            part.write_text(self.to_text(), encoding="utf-8", newline="\n")
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise InputError(f"{path} cannot be written: {error.strerror}.") from None


def _check_end(lines: list[str], name: str) -> None:
    end = _parsed(lines[-1], name, len(lines))
    if "end" not in end:
        raise JournalError(f"{name} is cut off: its last line is missing.", hint="Export it again.")
    if end["end"] != len(lines) - 1 or end.get("sha256") != _digest(lines[:-1]):
        raise JournalError(
            f"{name} was changed after it was exported: its lines do not fit their checksum.",
            hint="Export it again; to try another outcome, fork the run.",
        )


def _entry(data: Mapping[str, Any], blobs: Mapping[str, str], name: str, number: int) -> Entry:
    try:
        told = joined(data["data"], blobs)
        return Entry(str(data["id"]), str(data["type"]), int(data["attempt"]), told)
    except (KeyError, TypeError, ValueError) as problem:
        raise JournalError(f"{name}, line {number} is damaged: {problem!r}.") from None


def _parsed(line: str, name: str, number: int) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        what = "is no journal" if number == 1 else f"is cut off or damaged at line {number}"
        raise JournalError(f"{name} {what}.", hint="Export it again.")
    return data


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
