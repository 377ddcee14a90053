"""A tool of the project's own: any function with a docstring and type annotations."""

from treadle.tools import Effect, ToolError, tool


@tool(effect=Effect.READ)
def warp_ends(width_cm: float, ends_per_cm: float) -> str:
    """Work out how many warp ends a piece of cloth needs.

    Args:
        width_cm: the width of the cloth in centimetres.
        ends_per_cm: how many warp threads lie in one centimetre.
    """
    if width_cm <= 0 or ends_per_cm <= 0:
        raise ToolError("Width and ends per centimetre must be greater than 0.")
    return f"{round(width_cm * ends_per_cm)} warp ends"
