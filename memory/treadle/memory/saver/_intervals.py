"""Positions in the log as intervals: ``0:800 802:803`` means 0 to 799, and 802."""

from collections.abc import Iterable, Iterator, Sequence

Interval = tuple[int, int]

# A body that is not in the log yet has the position NEW + its number among the new ones.
NEW = 1 << 52


def intervals(positions: Iterable[int]) -> list[Interval]:
    """Return ``positions``, in their order, as half-open intervals."""
    spans: list[Interval] = []
    first = stop = -1
    for position in positions:
        if position == stop:
            stop += 1
            continue
        if stop >= 0:
            spans.append((first, stop))
        first, stop = position, position + 1
    if stop >= 0:
        spans.append((first, stop))
    return spans


def joined(spans: Iterable[Interval]) -> list[Interval]:
    """Return ``spans`` with those that touch made one."""
    result: list[Interval] = []
    for first, stop in spans:
        if result and result[-1][1] == first:
            result[-1] = (result[-1][0], stop)
        else:
            result.append((first, stop))
    return result


def cut(spans: Iterable[Interval], n: int) -> Iterator[Interval]:
    """Yield the intervals of the first ``n`` positions of ``spans``."""
    for first, stop in spans:
        if n <= 0:
            return
        yield first, min(stop, first + n)
        n -= stop - first


def formatted(spans: Sequence[Interval]) -> str:
    """Return intervals as text; those of new bodies as ``+first:stop``, from 0."""
    return " ".join(
        f"+{first - NEW}:{stop - NEW}" if first >= NEW else f"{first}:{stop}"
        for first, stop in spans
    )


def parsed(text: str) -> Iterator[Interval]:
    """Yield the intervals in ``text``.

    Raises:
        ValueError: it is not an interval list.
    """
    for part in text.split():
        first, _, stop = part.partition(":")
        span = int(first), int(stop)
        if not 0 <= span[0] < span[1]:
            raise ValueError(f"{part!r} is not an interval")
        yield span
