"""The embedded model: a deterministic extractive reader that speaks the chat-model interface.

It is not a language model. It chooses among the tools it is offered, reads what they return, and
answers with the sentences that fit the question best and the labels of their sources; when it
finds nothing, it says so. It needs no key and no network.
"""

from treadle.agents.embedded._model import MAX_ANSWER_TOKENS, EmbeddedChatModel

__all__ = ["MAX_ANSWER_TOKENS", "EmbeddedChatModel"]
