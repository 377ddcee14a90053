"""The runtime: where agents run, and what embeds them in a program.

``async with Runtime.open() as rt: reply = await rt.ask("assistant", "...")``
"""

from treadle.core.events import (
    CallDelta,
    CallFinished,
    CallStarted,
    Event,
    Reply,
    RunFailed,
    RunFinished,
    RunStarted,
)
from treadle.core.model_settings import ModelSettings
from treadle.memory.transcript import Turn
from treadle.runtime._checking import AgentCheck
from treadle.runtime._rerecording import rerecord
from treadle.runtime._runtime import Runtime
from treadle.runtime._sync import SyncRuntime
from treadle.runtime._threads import Thread, Threads, check_thread_id
from treadle.runtime.runs import Plan, PlannedEffect

__all__ = [
    "AgentCheck",
    "CallDelta",
    "CallFinished",
    "CallStarted",
    "Event",
    "ModelSettings",
    "Plan",
    "PlannedEffect",
    "Reply",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "Runtime",
    "SyncRuntime",
    "Thread",
    "Threads",
    "Turn",
    "check_thread_id",
    "rerecord",
]
