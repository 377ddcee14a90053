"""Why a run failed, as it is told outside: the log and the command line tell all of it."""

import re

_ADDRESS = re.compile(
    r"""\b[a-z][a-z0-9+.-]{1,20}://[^\s'"<>()]*[^\s'"<>().,;:]|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b""",
    re.IGNORECASE,
)
WITHHELD = "[address]"
"""What stands for an address: where a provider is asked is nothing to whoever asks an agent."""


def shareable(error: str) -> str:
    """Return what is told of an error outside, without the addresses in it."""
    return _ADDRESS.sub(WITHHELD, error)
