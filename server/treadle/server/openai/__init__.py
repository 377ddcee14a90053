"""OpenAI's protocol: each agent is a model, for the clients people already have."""

from treadle.server._routing import Router
from treadle.server.openai import chat, conversations, kept_responses, models, responses

__all__ = ["openai_router"]

openai_router = Router()
"""The protocol's routes."""
openai_router.take(
    *(part.router for part in (chat, responses, kept_responses, conversations, models))
)
