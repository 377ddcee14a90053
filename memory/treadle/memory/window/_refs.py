"""Naming a message that is shown in part, so that a model can read on in it."""

import hashlib
import json

from langchain_core.messages import AIMessage, BaseMessage

from treadle.memory.transcript import Said, Transcript

_DIGEST_BYTES = 8


def full_text(message: BaseMessage) -> str:
    """Return all that a message says, the arguments of its tool calls included."""
    calls = message.tool_calls if isinstance(message, AIMessage) else ()
    parts = [message.text, *(json.dumps(call["args"], default=str) for call in calls)]
    return "\n".join(part for part in parts if part)


def ref_of(message: BaseMessage) -> str:
    """Return the word by which a model reads on in the message.

    It follows from what the message says. A message's id is made anew in a replay and in a fork,
    which would then ask their models something else. Messages that share a word say the same.
    """
    text = full_text(message).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


async def find(transcript: Transcript, thread_id: str, ref: str) -> Said | None:
    """Return the message that a ref names, or ``None`` when the thread holds none.

    Messages that can be read on in were shown of late, so the thread is read backwards. A ref may
    be a message's id: prompts of threads that were begun with an earlier version hold those.
    """
    said = await transcript.read(thread_id, ref)
    before: int | None = None
    while said is None and before != 0:
        page = await transcript.page(thread_id, before=before)
        named = (one for one in reversed(page.messages) if ref_of(one.message) == ref)
        said, before = next(named, None), page.first
    return said
