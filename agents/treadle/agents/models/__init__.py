"""Chat models by name, each sending its calls through the boundary."""

from treadle.agents.models._gated import ModelInfo, info_of, through_boundary
from treadle.agents.models._resolve import ResolvedModel, resolve_model

__all__ = ["ModelInfo", "ResolvedModel", "info_of", "resolve_model", "through_boundary"]
