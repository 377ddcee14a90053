"""OpenAI's protocol: each agent is a model, for the clients people already have."""

from treadle.server._routing import collected
from treadle.server.openai import chat, conversations, kept_responses, models, responses

__all__ = ["openai_router"]

_PARTS = (chat, responses, kept_responses, conversations, models)

openai_router = collected(*(part.router for part in _PARTS))
"""The protocol's routes."""
