"""Chat models by name, each sending its calls through the boundary."""

from treadle.agents.models._gated import ModelInfo, info_of, through_boundary
from treadle.agents.models._resolve import Models, ResolvedModel

__all__ = ["ModelInfo", "Models", "ResolvedModel", "info_of", "through_boundary"]
