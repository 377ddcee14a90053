"""OpenAI's protocol: each agent is a model, for the clients people already have."""

from fastapi import APIRouter

from treadle.server.openai import chat, models, responses

__all__ = ["openai_router"]

openai_router = APIRouter(prefix="/v1")
"""The protocol's routes."""
for _part in (models, chat, responses):
    openai_router.include_router(_part.router)
