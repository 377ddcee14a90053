"""What a model is shown of a conversation of any length, inside a budget of tokens.

`ContextWindow` composes it; `WindowMiddleware` puts it into LangChain's ``create_agent``, and any
other graph calls ``compose`` in the node that asks its model and adds the update it gives.
"""

from treadle.memory.window._history import (
    ASIDE,
    aside,
    aside_kind,
    repair,
    since_last_question,
    turns_of,
)
from treadle.memory.window._middleware import WindowMiddleware, running_config, running_thread
from treadle.memory.window._notes import Facts, Recall
from treadle.memory.window._summary import Summary
from treadle.memory.window._tokens import Counter, count_tokens
from treadle.memory.window._window import (
    READ_MORE,
    Composed,
    ContextWindow,
    Notes,
    SummaryMode,
    WindowState,
)

__all__ = [
    "ASIDE",
    "READ_MORE",
    "Composed",
    "ContextWindow",
    "Counter",
    "Facts",
    "Notes",
    "Recall",
    "Summary",
    "SummaryMode",
    "WindowMiddleware",
    "WindowState",
    "aside",
    "aside_kind",
    "count_tokens",
    "repair",
    "running_config",
    "running_thread",
    "since_last_question",
    "turns_of",
]
