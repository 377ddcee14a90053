"""``/v1/models``: the agents."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from treadle.core.errors import UnknownNameError
from treadle.server.langgraph import Rt
from treadle.server.openai._turn import agents_of


class Model(BaseModel):
    """An agent, as OpenAI's clients list it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "treadle"


class Models(BaseModel):
    """The agents that the caller may ask."""

    object: Literal["list"] = "list"
    data: list[Model]


router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models")
async def list_models(rt: Rt) -> Models:
    """List the agents."""
    return Models(data=[Model(id=name) for name in agents_of(rt)])


@router.get("/models/{model}")
async def get_model(rt: Rt, model: Annotated[str, Path(max_length=200)]) -> Model:
    """Return an agent.

    Raises:
        UnknownNameError: there is none that the caller may ask.
    """
    if model not in agents_of(rt):
        raise UnknownNameError("model", model, agents_of(rt))
    return Model(id=model)
