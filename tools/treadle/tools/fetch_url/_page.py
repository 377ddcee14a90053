"""What a page says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says.

    Attributes:
        url: where it was, after redirects.
        title: its title; may be empty.
        text: its main text.
    """

    url: str
    title: str
    text: str
