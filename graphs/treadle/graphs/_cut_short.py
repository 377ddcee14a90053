"""How a model's answer ended, where it is not whole: cut off, filtered or refused."""

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage

_PLACES = ("finish_reason", "stop_reason", "stopReason", "done_reason")
"""Where LangChain's models keep why an answer ended."""
_LIMITS = {
    "length",
    "max_tokens",
    "max_output_tokens",
    "model_length",
    "model_context_window_exceeded",
}
_FILTERS = {
    "content_filter",
    "content_filtered",
    "guardrail_intervened",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "refusal",  # Anthropic's classifiers ended it; there are no words for it.
}


def cut_short(message: AIMessage) -> str:
    """Return why an answer is not whole, as a reply's ``stopped`` says it; empty where it is.

    It begins with ``refusal:``, ``content_filter:`` or ``length:``.
    """
    if refusal_of(message):
        return "refusal: the model declined to answer"
    reasons = set(_reasons(message.response_metadata))
    if reasons & _FILTERS:
        return "content_filter: the provider's filter ended the model's answer"
    if reasons & _LIMITS:
        return "length: the model's answer came to its limit of tokens"
    return ""


def words_of(message: AIMessage) -> str:
    """Return what an answer says; where the model declined to give one, what it said to that."""
    return refusal_of(message) or message.text


def refusal_of(message: AIMessage) -> str:
    """Return the words in which a model declined to answer; empty where it did not."""
    if refusal := message.additional_kwargs.get("refusal"):
        return str(refusal)
    blocks = message.content if isinstance(message.content, list) else ()
    return "".join(
        str(block.get("refusal", ""))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "refusal"
    )


def _reasons(known: dict[str, Any]) -> Iterator[str]:
    details = known.get("incomplete_details")
    told = [known.get(place) for place in _PLACES]
    told.append(details.get("reason") if isinstance(details, dict) else None)
    return (str(reason).lower() for reason in told if reason)
