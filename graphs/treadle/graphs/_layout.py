"""Places boxes in layers and runs the wires between them without crossing a box.

Every wire has a slot of its own in each layer it passes and bends only between layers, which is why
it can cross no box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf

from treadle.graphs._layers import BOX_GAP, LOOP_WIDTH, Box, Layers, Slot, Wire, layered

_WIRE_GAP = 18.0
_LAYER_GAP = 40.0
_PORT_GAP = 18.0  # between wires that end at the same side of a box
_CORNER = 14.0  # no wire ends this near to the corner of a box
_STIFF = 30.0  # how much harder a wire bends in its middle than where it leaves a box
_LOOSE = 0.1  # how hard a box without wires is to move
_SWEEPS, _ROUGH_SWEEPS = 80, 10


@dataclass(frozen=True)
class Stop:
    """A straight vertical piece of a wire, in the wire's direction."""

    x: float
    enter: float
    leave: float


@dataclass(frozen=True)
class Layout:
    """Where everything goes; lengths are pixels, and y grows downwards.

    Attributes:
        width: of the whole.
        height: of the whole.
        corners: the upper left corner of each box.
        routes: each wire's stops, to be joined by curves; empty for a wire from a box to itself.
        labels: the centre of each wire's label; None without a label.
    """

    width: float
    height: float
    corners: list[tuple[float, float]]
    routes: list[list[Stop]]
    labels: list[tuple[float, float] | None]


def arrange(boxes: Sequence[Box], wires: Sequence[Wire]) -> Layout:
    """Place boxes, at least one, so that most wires run downwards from the first."""
    layers = layered(boxes, wires)
    _spread(layers.rows)
    _set_heights(layers)
    slots = [slot for row in layers.rows for slot in row]
    return Layout(
        width=max(slot.x + slot.right for slot in slots),
        height=max(slot.bottom for slot in slots),
        corners=[
            (slot.x - box.width / 2, slot.middle - box.height / 2)
            for slot, box in zip(layers.boxes, boxes, strict=True)
        ],
        routes=_routes(layers),
        labels=[
            _label_centre(wire, chain, layers.boxes[wire.source])
            for wire, chain in zip(wires, layers.chains, strict=True)
        ],
    )


def _spread(rows: Sequence[list[Slot]]) -> None:
    """Choose each slot's x, near those of its neighbours and clear of those beside it."""
    for row in rows:
        row_x = spaced([0.0] * len(row), [1.0] * len(row), _distances(row))
        for slot, x in zip(row, row_x, strict=True):
            slot.x = x
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wishes, weights = [], []
            for slot in row:
                near = slot.above if down else slot.below
                straight = near and slot.long and near[0].long  # both are in the same long wire
                if not near or (sweep >= _ROUGH_SWEEPS and not straight):
                    near = [*slot.above, *slot.below]
                pulls = [_pull(slot, other) for other in near]
                weights.append(sum(pulls) or _LOOSE)
                wished = sum(pull * other.x for pull, other in zip(pulls, near, strict=True))
                wishes.append(wished / sum(pulls) if pulls else slot.x)
            for slot, x in zip(row, spaced(wishes, weights, _distances(row)), strict=True):
                slot.x = x
    edge = min(slot.x - slot.left for row in rows for slot in row)
    for row in rows:
        for slot in row:
            slot.x -= edge


def _pull(one: Slot, other: Slot) -> float:
    """Return how much a piece of wire resists being bent: least where it leaves its box."""
    return 1.0 if one.long != other.long else _STIFF


def _distances(row: Sequence[Slot]) -> list[float]:
    return [
        one.right + other.left + (_WIRE_GAP if one.box is None or other.box is None else BOX_GAP)
        for one, other in pairwise(row)
    ]


def spaced(
    wishes: Sequence[float],
    weights: Sequence[float],
    distances: Sequence[float],
    bounds: tuple[float, float] = (-inf, inf),
) -> list[float]:
    """Return the positions nearest to the wishes (least squares) that keep these distances.

    Isotonic regression by pooling adjacent violators. The bounds must leave enough room.
    """
    offsets = list(accumulate(distances, initial=0.0))
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(wishes, weights, offsets, strict=False):
        mean, total, members = wish - offset, weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, count = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, members = total + other_weight, members + count
        pools.append((mean, total, members))
    lowest, highest = bounds[0], bounds[1] - offsets[-1]
    means = [min(max(mean, lowest), highest) for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _set_heights(layers: Layers) -> None:
    """Stack the rows; where wires go far to the side they get more room to bend."""
    y = 0.0
    for row, below in zip(layers.rows, [*layers.rows[1:], []], strict=True):
        height = max((slot.height for slot in row), default=0.0)
        for slot in row:
            slot.top, slot.bottom = y, y + height
        reach = max((abs(slot.x - other.x) for slot in row for other in slot.below), default=0.0)
        gap = _LAYER_GAP + min(40.0, reach / 12)
        if layers.labelled:  # Half of the rows are for labels; those without any have no height.
            gap *= 0.7 if height and any(slot.height for slot in below) else 0.5
        y += height + gap


def _routes(layers: Layers) -> list[list[Stop]]:
    # A row without height has no label to go around, so a wire need not stop there.
    chains = [[slot for slot in chain if slot.bottom > slot.top] for chain in layers.chains]
    wired = [chain for chain in chains if chain]
    leave = _ports([(chain[0], chain[1].x) for chain in wired])
    enter = _ports(
        [
            (chain[-1], start if len(chain) == 2 else chain[-2].x)
            for chain, start in zip(wired, leave, strict=True)
        ]
    )
    ends = iter(zip(leave, enter, strict=True))
    return [
        _route(chain, *next(ends), flipped=flipped) if chain else []
        for chain, flipped in zip(chains, layers.flipped, strict=True)
    ]


def _ports(wishes: Sequence[tuple[Slot, float]]) -> list[float]:
    """Return where each wire meets one side of its box, near its wish and apart from others."""
    wired: dict[Slot, list[tuple[float, int]]] = {}
    for number, (slot, wish) in enumerate(wishes):
        wired.setdefault(slot, []).append((wish, number))
    ports = [0.0] * len(wishes)
    for slot, wires in wired.items():
        wires.sort()
        reach = slot.left - _CORNER
        gap = min(_PORT_GAP, 2 * reach / max(1, len(wires) - 1))
        wished = [wish for wish, _ in wires]
        bounds = (slot.x - reach, slot.x + reach)
        placed = spaced(wished, [1.0] * len(wires), [gap] * (len(wires) - 1), bounds)
        for (_, number), x in zip(wires, placed, strict=True):
            ports[number] = x
    return ports


def _route(chain: Sequence[Slot], start: float, end: float, *, flipped: bool) -> list[Stop]:
    first, *passing, last = chain
    stops = [
        Stop(start, first.middle + first.height / 2, first.bottom),
        *(Stop(slot.x, slot.top, slot.bottom) for slot in passing),
        Stop(end, last.top, last.middle - last.height / 2),
    ]
    return [Stop(stop.x, stop.leave, stop.enter) for stop in reversed(stops)] if flipped else stops


def _label_centre(wire: Wire, chain: Sequence[Slot], source: Slot) -> tuple[float, float] | None:
    if wire.label is None:
        return None
    if not chain:
        return source.x + source.left + LOOP_WIDTH + wire.label.width / 2, source.middle
    slot = next(slot for slot in chain if slot.box is None and slot.height)
    return slot.x, slot.middle
