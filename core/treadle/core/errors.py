"""The errors Treadle raises, as one small tree.

The class says who acts, the message says what was wrong (with the value and the place),
and ``hint`` says what to do next::

    TreadleError
    ├── UserError            the person who set this up acts; exit code 2
    │   ├── ConfigError          a settings or agent file is wrong (file, line)
    │   ├── UnknownNameError     no agent, tool, model or graph of that name
    │   ├── InputError           the question or argument itself cannot be used
    │   └── RedisError           Redis cannot be reached, is too old, or refused us
    ├── RunError             the run failed; exit code 1
    │   ├── ModelError           the model's provider refused or failed
    │   │   ├── BrokenAnswerError    its answer arrived damaged: another attempt may do
    │   │   └── ModelUnavailableError  it is busy, failing or out of reach: so it is asked again
    │   ├── BudgetExceededError  a limit of the run was reached
    │   ├── UnboundedCallError   a limit is set, and what the call can cost has no bound
    │   ├── ApprovalError        an approval is for another call, too late, or used up
    │   ├── OutgoingError        an address may not be reached, or did not answer within bounds
    │   ├── FencedError          another attempt at the run has taken over
    │   └── BoundaryError        a call reached the boundary in a way it cannot serve
    └── ToolError            the model acts: it reads the message and tries otherwise
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.core._tool_error import ToolError as ToolError  # noqa: PLC0414 - public here


class TreadleError(Exception):
    """Anything Treadle raises on purpose.

    Attributes:
        message: what was wrong, with the value and the place.
        hint: what to do next, as one sentence; empty when the message says it all.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UserError(TreadleError):
    """Something the person who set this up must change."""


class ConfigError(UserError):
    """A settings or agent file is wrong.

    Attributes:
        path: the file, where there is one.
        line: the line in it, counted from 1, where it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        path: Path | None = None,
        line: int | None = None,
    ) -> None:
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(place + message, hint=hint)
        self.path = path
        self.line = line


class UnknownNameError(UserError):
    """No thing of that kind has that name; the message offers the nearest one.

    Attributes:
        kind: what was looked for, such as ``"agent"``.
        name: the name that was not found.
        nearest: the closest existing name, or ``None``.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str] | None, *, hint: str = ""
    ) -> None:
        """Make the error.

        Args:
            kind: what was looked for.
            name: the name that was not found.
            known: the names there are; ``None`` where they are too many, or not to be told.
            hint: what to do next.
        """
        names = sorted(known or ())
        self.kind = kind
        self.name = name
        self.nearest = nearest(name, names)
        offer = f" Did you mean {self.nearest!r}?" if self.nearest else ""
        choices = f" There are: {', '.join(names)}." if names else f" There is no {kind} yet."
        choices = "" if known is None else choices
        super().__init__(f"No {kind} is named {name!r}.{offer}{choices}", hint=hint)


class InputError(UserError):
    """The question, thread id or argument itself cannot be used."""


class RedisError(UserError):
    """Redis cannot be reached, is too old, or refused the command."""


class RunError(TreadleError):
    """The run failed for a reason outside the caller's configuration."""


class ModelError(RunError):
    """The model's provider refused the request or failed to answer it.

    Attributes:
        is_free: whether it is certain that nothing was generated, so that nothing is owed.
        status: the HTTP status that it answered with; ``None`` without one.
        param: the field of the request that it named; may be empty.
        code: its own name of what was wrong; may be empty.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        is_free: bool = False,
        status: int | None = None,
        param: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_free = is_free
        self.status = status
        self.param = param
        self.code = code


class BrokenAnswerError(ModelError):
    """The model's answer broke off or could not be read; another attempt may succeed."""


class ModelUnavailableError(ModelError):
    """The provider is busy, failing or out of reach; the model asks it again by itself.

    Attributes:
        retry_after_seconds: how long the provider asked to wait; ``None`` when it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        is_free: bool = False,
        status: int | None = None,
        param: str = "",
        code: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, is_free=is_free, status=status, param=param, code=code)
        self.retry_after_seconds = retry_after_seconds


class BudgetExceededError(RunError):
    """A limit of the run's budget was reached, as a rule before the call that would pass it.

    Attributes:
        unit: what ran out, such as ``"tokens"`` or ``"seconds"``.
        is_cut_off: whether the call was under way, so that it may have done what it does.
    """

    def __init__(
        self, message: str, *, unit: str = "", hint: str = "", is_cut_off: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.unit = unit
        self.is_cut_off = is_cut_off


class UnboundedCallError(RunError):
    """A limit on tokens or money is set, and what the call can cost cannot be bounded."""


class ApprovalError(RunError):
    """An approval cannot be given or used: it is for something else, expired, answered or used."""


class OutgoingError(RunError):
    """A request to an address was refused, or its answer was too long, too late or damaged."""


class FencedError(RunError):
    """This attempt at a run is over: another one has taken its thread, so nothing was written."""


class BoundaryError(RunError):
    """A call reached the boundary in a way that it cannot serve."""


def __getattr__(name: str) -> Any:
    """Return `ToolError`: it is one of LangChain's too, which takes over a second to load."""
    if name != "ToolError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from treadle.core._tool_error import ToolError  # noqa: PLC0415 - see above

    return globals().setdefault(name, ToolError)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, or ``None`` when nothing is close."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None
