"""Puts boxes into layers and orders them there, with a slot for every wire that passes.

A layered layout after Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
system structures", IEEE Trans. SMC 11(2), 1981: break cycles, choose layers, order each layer to
cross few wires; coordinates are chosen in `_layout`.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

BOX_GAP = 30.0
"""How far the boxes of a layer are apart, in pixels."""
LOOP_WIDTH = 30.0
"""How far a wire from a box to itself reaches out of it, in pixels."""
_MAX_LAYER_WIDTH = 1_100.0


@dataclass(frozen=True)
class Box:
    """The size of something to place."""

    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """A connection from one box to another, by their positions in the list, and its label."""

    source: int
    target: int
    label: Box | None = None


@dataclass(eq=False)
class Slot:
    """A place in a layer: a box, a label, or where a wire passes."""

    layer: int
    box: int | None = None
    left: float = 0.0  # how far it reaches from its x
    right: float = 0.0
    height: float = 0.0
    above: list["Slot"] = field(default_factory=list)
    below: list["Slot"] = field(default_factory=list)
    long: bool = False  # whether it is part of a wire that passes boxes
    x: float = 0.0
    top: float = 0.0  # of its whole layer
    bottom: float = 0.0

    @property
    def middle(self) -> float:
        """The y of its box or label."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Layers:
    """The slots of all boxes and wires."""

    rows: list[list[Slot]]
    boxes: list[Slot]
    chains: list[list[Slot]]  # a wire's slots, from the upper box to the lower one
    flipped: list[bool]  # whether a wire runs upwards
    labelled: bool  # whether every other row is for labels


def layered(boxes: Sequence[Box], wires: Sequence[Wire]) -> Layers:
    """Return slots for boxes and wires, row by row from the top; the first box is there."""
    flipped = _upward(len(boxes), wires)
    layers = _slots(boxes, wires, flipped, _layer_numbers(boxes, wires, flipped))
    _order(layers.rows)
    return layers


def _upward(count: int, wires: Sequence[Wire]) -> list[bool]:
    """Return for each wire whether it closes a cycle, seen from the first box."""
    leaving: list[list[int]] = [[] for _ in range(count)]
    for number, wire in enumerate(wires):
        leaving[wire.source].append(number)
    upward = [False] * len(wires)
    state = ["new"] * count
    for root in range(count):
        if state[root] != "new":
            continue
        state[root] = "open"
        stack = [(root, iter(leaving[root]))]
        while stack:
            box, numbers = stack[-1]
            for number in numbers:
                target = wires[number].target
                if state[target] == "new":
                    state[target] = "open"
                    stack.append((target, iter(leaving[target])))
                    break
                upward[number] = state[target] == "open"
            else:
                state[box] = "done"
                stack.pop()
    return upward


def _layer_numbers(
    boxes: Sequence[Box], wires: Sequence[Wire], flipped: Sequence[bool]
) -> list[int]:
    """Return each box's layer: below all it comes after, and in a layer that is not too wide."""
    after: list[set[int]] = [set() for _ in boxes]
    for wire, flip in zip(wires, flipped, strict=True):
        if wire.source != wire.target:
            upper, lower = (wire.target, wire.source) if flip else (wire.source, wire.target)
            after[lower].add(upper)
    numbers = [-1] * len(boxes)
    used: dict[int, float] = {}
    waiting = list(range(len(boxes)))
    while waiting:
        ready = [box for box in waiting if all(numbers[upper] >= 0 for upper in after[box])]
        for box in ready:
            number = max((numbers[upper] + 1 for upper in after[box]), default=0)
            width = boxes[box].width + BOX_GAP
            while used.get(number, 0.0) and used[number] + width > _MAX_LAYER_WIDTH:
                number += 1
            used[number] = used.get(number, 0.0) + width
            numbers[box] = number
        waiting = [box for box in waiting if numbers[box] < 0]
    return numbers


def _slots(
    boxes: Sequence[Box], wires: Sequence[Wire], flipped: list[bool], numbers: Sequence[int]
) -> Layers:
    """Give every box and every wire its slots; where there are labels, they get their own rows."""
    step = 2 if any(wire.label for wire in wires) else 1
    placed = [
        Slot(step * number, index, box.width / 2, box.width / 2, box.height)
        for index, (box, number) in enumerate(zip(boxes, numbers, strict=True))
    ]
    rows: list[list[Slot]] = [[] for _ in range(step * max(numbers, default=0) + 1)]
    for slot in placed:
        rows[slot.layer].append(slot)
    chains: list[list[Slot]] = []
    for wire, flip in zip(wires, flipped, strict=True):
        source, target = placed[wire.source], placed[wire.target]
        if source is target:
            reach = LOOP_WIDTH + (wire.label.width + 4 if wire.label else 0.0)
            source.right = max(source.right, boxes[wire.source].width / 2 + reach)
            chains.append([])
            continue
        upper, lower = (target, source) if flip else (source, target)
        layers = range(upper.layer + 1, lower.layer)
        passing = [Slot(layer, long=len(layers) >= step) for layer in layers]
        if wire.label:
            slot = passing[-1 if flip else 0]
            slot.left = slot.right = wire.label.width / 2
            slot.height = wire.label.height
        for slot in passing:
            rows[slot.layer].append(slot)
        chain = [upper, *passing, lower]
        for one, next_one in pairwise(chain):
            one.below.append(next_one)
            next_one.above.append(one)
        chains.append(chain)
    return Layers(rows, placed, chains, flipped, labelled=step == 2)


def _order(rows: list[list[Slot]]) -> None:
    """Order each row to cross few wires, by the mean position of neighbours (barycentre)."""
    _number(rows)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(24):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            row.sort(key=lambda slot: _mean(slot.above if down else slot.below, slot.x))
            _number([row])
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best
    _number(rows)


def _number(rows: Iterable[list[Slot]]) -> None:
    for row in rows:
        for position, slot in enumerate(row):
            slot.x = position


def _mean(slots: Sequence[Slot], default: float) -> float:
    return sum(slot.x for slot in slots) / len(slots) if slots else default


def _crossings(rows: Iterable[Sequence[Slot]]) -> int:
    crossings = 0
    for row in rows:
        seen: list[float] = []
        for upper in row:
            ends = [lower.x for lower in upper.below]
            crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossings
