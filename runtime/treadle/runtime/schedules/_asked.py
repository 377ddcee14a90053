"""What a program asks of a schedule's runs, where settings have no words for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.runtime.runs import Multitask, RunOptions


@dataclass(frozen=True, slots=True)
class Asked:
    """What a schedule's runs are asked for.

    Attributes:
        owner: whose the schedule and its threads are; empty for the operator's.
        input: what the agent's graph is given; ``None`` goes on from the thread's checkpoint.
        thread_id: the thread that each goes on with; each has a new one when not given.
        keep_thread: whether a new thread stays when its run is at an end.
        multitask: what becomes of a run where the thread has one already.
        user: whose long-term memory is used.
        metadata: what is found with each run again.
        options: how the graph is executed.
        about: what the program wants to find with the schedule again.
    """

    owner: str = ""
    input: Mapping[str, Any] | str | None = None
    thread_id: str | None = None
    keep_thread: bool = True
    multitask: Multitask = "enqueue"
    user: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    options: RunOptions = field(default_factory=RunOptions)
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as it is kept."""
        told = {
            "owner": self.owner,
            "input": self.input,
            "thread_id": self.thread_id,
            "keep_thread": self.keep_thread,
            "multitask": self.multitask,
            "user": self.user,
            "metadata": self.metadata,
            "options": self.options.to_dict(),
            "about": self.about,
        }
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Asked":
        """Return what was kept.

        Raises:
            ValueError, KeyError, TypeError: it is none that this version can read.
        """
        told = json.loads(text)
        return cls(**{**told, "options": RunOptions.from_dict(told["options"])})
