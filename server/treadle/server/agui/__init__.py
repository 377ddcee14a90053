"""The Agent User Interaction protocol at ``/agui/{agent}``: a run's events for a user interface."""

from treadle.server.agui._routes import agui_router

__all__ = ["agui_router"]
