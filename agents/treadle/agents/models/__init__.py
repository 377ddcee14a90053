"""Chat models by name, each sending its calls through the boundary."""

from treadle.agents.models._gated import (
    ModelInfo,
    info_of,
    send_through_boundary,
    through_boundary,
)
from treadle.agents.models._resolve import Models, ResolvedModel
from treadle.agents.models._settings import settings_taken

__all__ = [
    "ModelInfo",
    "Models",
    "ResolvedModel",
    "info_of",
    "send_through_boundary",
    "settings_taken",
    "through_boundary",
]
