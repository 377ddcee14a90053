"""Recording a run anew where its agent has changed since."""

from pathlib import Path

from treadle.core.errors import InputError
from treadle.runtime._runtime import Runtime
from treadle.runtime.runs import JournalFile, Replayer


async def rerecord(runtime: Runtime, path: Path) -> JournalFile:
    """Record a journal's run anew with the agent as it is now, and replace the file.

    What the journal still knows is used again; only what is new is asked and done. Nothing of the
    new run is kept but the file.

    Args:
        runtime: the project's runtime.
        path: the file.

    Raises:
        InputError: the run waits for a person now, or the file cannot be written.
        JournalError: the file is no journal.
        RunError: the run failed.
    """
    file = JournalFile.read(path)
    agent = Replayer(runtime.project, runtime.settings).current(file)
    reply = await runtime.fork(file, agent=agent)
    try:
        if await runtime.runs.interrupts(reply.run_id):
            raise InputError(
                f"The run of {path} waits for a person now, so it was not recorded.",
                hint="Ask it anew, resume it with the answer, and export it.",
            )
        recorded = await runtime.runs.export(reply.run_id)
    finally:
        await runtime.forget_thread(reply.thread_id)
    recorded.write(path)
    return recorded
