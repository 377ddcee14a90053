"""``/v1/models``: the agents."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from treadle.core.errors import UnknownNameError
from treadle.server._serving import Served
from treadle.server._turn import agents_of
from treadle.server.langgraph import Rt


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
async def list_models(rt: Rt, served: Served) -> Models:
    """List the agents that can be asked in words."""
    return Models(data=[Model(id=name) for name in served.talking(agents_of(rt))])


@router.get("/models/{model}")
async def get_model(rt: Rt, served: Served, model: Annotated[str, Path(max_length=200)]) -> Model:
    """Return an agent.

    Raises:
        UnknownNameError: there is none that the caller may ask in words.
    """
    if model in served.failed:
        raise UnknownNameError("model", model, served.talking(agents_of(rt)))
    return Model(id=served.agent_to_talk_with(rt, model, "model").name)
