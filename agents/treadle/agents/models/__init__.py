"""Chat models by name, each sending its calls through the boundary."""

from treadle.agents.models._gated import (
    ModelInfo,
    info_of,
    send_through_boundary,
    through_boundary,
)
from treadle.agents.models._resolve import Models, ResolvedModel

__all__ = [
    "ModelInfo",
    "Models",
    "ResolvedModel",
    "info_of",
    "send_through_boundary",
    "through_boundary",
]
