"""Where the boxes of one group stand: layers from left to right, so that arrows run rightwards.

The layered method of Sugiyama, Tagawa and Toda (1981): break circles, give each box the layer after
all that it needs, order each layer by the middle of its neighbours, then place. Boxes without an
arrow stand in rows below. Same input, same picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

Pair: TypeAlias = tuple[str, str]
Point: TypeAlias = tuple[float, float]
_Links: TypeAlias = tuple[dict[str, list[str]], dict[str, list[str]]]

COLUMN_GAP = 56.0
ROW_GAP = 14.0
LANE = 10.0
"""Height kept free where an arrow passes a layer."""
SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Placed:
    """Left upper corners of the boxes, the points of each arrow from box to box, and the size."""

    at: Mapping[str, Point]
    paths: Mapping[Pair, tuple[Point, ...]]
    width: float
    height: float


@dataclass(slots=True)
class _Slot:
    """A box in its layer, or the lane of an arrow that passes through."""

    key: str
    layer: int
    width: float
    height: float
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def layout(sizes: Mapping[str, Point], pairs: Sequence[Pair]) -> Placed:
    """Place boxes of these (width, height); ``pairs`` are (tail, head) without repetition."""
    joined = {key for pair in pairs for key in pair}
    layered = _layered({k: size for k, size in sizes.items() if k in joined}, sorted(pairs))
    alone = {key: size for key, size in sizes.items() if key not in joined}
    return _with_rows(layered, alone)


def _layered(sizes: Mapping[str, Point], pairs: Sequence[Pair]) -> Placed:
    forward = _forward(sizes, pairs)
    layer_of = _layers(sizes, forward)
    slots = {key: _Slot(key, layer_of[key], *size) for key, size in sizes.items()}
    chains = {pair: _chain(pair, slots) for pair in forward}
    layers: list[list[_Slot]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for slot in slots.values():
        layers[slot.layer].append(slot)
    links = _links(chains.values())
    _order(layers, links)
    _align(layers, links, slots)
    lefts: list[float] = []
    x = 0.0
    for layer in layers:
        lefts.append(x)
        x += max(slot.width for slot in layer) + COLUMN_GAP
    widths = [max(slot.width for slot in layer) for layer in layers]
    paths: dict[Pair, tuple[Point, ...]] = {}
    for pair, chain in chains.items():
        points = _points([slots[key] for key in chain], lefts, widths)
        if pair in pairs:
            paths[pair] = points
        else:
            paths[pair[1], pair[0]] = points[::-1]
    return Placed(
        {key: (lefts[slots[key].layer], slots[key].y) for key in sizes},
        paths,
        max(x - COLUMN_GAP, 0.0),
        max((slot.y + slot.height for slot in slots.values()), default=0.0),
    )


def _forward(sizes: Mapping[str, Point], pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with those turned round that close a circle."""
    heads: dict[str, list[str]] = defaultdict(list)
    for tail, head in pairs:
        heads[tail].append(head)
    done: set[str] = set()
    found: dict[Pair, None] = {}

    def visit(key: str, way: frozenset[str]) -> None:
        done.add(key)
        for head in heads[key]:
            found[(head, key) if head in way else (key, head)] = None
            if head not in done:
                visit(head, way | {head})

    starts = [key for key in sizes if key not in {head for _, head in pairs}]
    for key in [*starts, *sizes]:
        if key not in done:
            visit(key, frozenset({key}))
    return list(found)


def _layers(sizes: Mapping[str, Point], pairs: Sequence[Pair]) -> dict[str, int]:
    """The layer after all that a box needs; what needs nothing stands just before its user."""
    tails: dict[str, list[str]] = defaultdict(list)
    heads: dict[str, list[str]] = defaultdict(list)
    for tail, head in pairs:
        tails[head].append(tail)
        heads[tail].append(head)
    layers: dict[str, int] = {}

    def layer(key: str) -> int:
        if key not in layers:
            layers[key] = 1 + max((layer(tail) for tail in tails[key]), default=-1)
        return layers[key]

    for key in sizes:
        layer(key)
    for key in sizes:
        if not tails[key]:
            layers[key] = min(layers[head] for head in heads[key]) - 1
    return layers


def _chain(pair: Pair, slots: dict[str, _Slot]) -> list[str]:
    """The slots that an arrow passes; makes the lanes between its ends."""
    tail, head = slots[pair[0]], slots[pair[1]]
    chain = [tail.key]
    for layer in range(tail.layer + 1, head.layer):
        key = f"{pair[0]}>{pair[1]}@{layer}"
        slots[key] = _Slot(key, layer, 0.0, LANE)
        chain.append(key)
    return [*chain, head.key]


def _links(chains: Iterable[Sequence[str]]) -> _Links:
    """Per slot its neighbours in the layer before and in the one after."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for chain in chains:
        for left, right in pairwise(chain):
            before[right].append(left)
            after[left].append(right)
    return before, after


def _order(layers: list[list[_Slot]], links: _Links) -> None:
    """Sort each layer by the middle of its neighbours' ranks, sweeping right and left."""
    for sweep in range(SWEEPS):
        rightwards = sweep % 2 == 0
        near = links[0] if rightwards else links[1]
        ordered = layers[1:] if rightwards else layers[-2::-1]
        rank = {s.key: i / max(len(layer), 1) for layer in layers for i, s in enumerate(layer)}
        for layer in ordered:
            middle = {s.key: _mean([rank[k] for k in near[s.key]], rank[s.key]) for s in layer}
            layer.sort(key=lambda slot: middle[slot.key])
            rank |= {slot.key: i / len(layer) for i, slot in enumerate(layer)}


def _align(layers: list[list[_Slot]], links: _Links, slots: Mapping[str, _Slot]) -> None:
    """Draw each slot to the middle of its neighbours as far as its layer lets it."""
    for layer in layers:
        _stack(layer, [0.0] * len(layer))
    for sweep in range(SWEEPS):
        near = links[sweep % 2]
        for layer in layers[1:] if sweep % 2 == 0 else layers[-2::-1]:
            wished = [
                _mean([slots[k].middle for k in near[s.key]], s.middle) - s.height / 2
                for s in layer
            ]
            _stack(layer, wished)
    top = min((slot.y for slot in slots.values()), default=0.0)
    for slot in slots.values():
        slot.y -= top


def _stack(layer: list[_Slot], wished: Sequence[float]) -> None:
    """Set each slot as near to its wish as its neighbours allow, in order.

    Slots that would overlap are joined into a block that stands at the mean of its wishes (the
    pool-adjacent-violators method of isotonic regression).
    """
    offsets = [0.0]
    for slot in layer[:-1]:
        offsets.append(offsets[-1] + slot.height + (ROW_GAP if slot.width else LANE))
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        mean, count = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    bases = [mean for mean, count in blocks for _ in range(count)]
    for slot, base, offset in zip(layer, bases, offsets, strict=True):
        slot.y = base + offset


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _points(
    chain: Sequence[_Slot], lefts: Sequence[float], widths: Sequence[float]
) -> tuple[Point, ...]:
    """Out of the first box to the edge of its column, along each lane, into the last box.

    Between columns an arrow bends; inside one it runs level, so that it crosses no box.
    """
    first, last = chain[0], chain[-1]
    points = [(lefts[first.layer] + first.width, first.middle)]
    for slot in chain[:-1]:
        if slot is not first:
            points.append((lefts[slot.layer], slot.middle))
        points.append((lefts[slot.layer] + widths[slot.layer], slot.middle))
    return (*points, (lefts[last.layer], last.middle))


def _with_rows(layered: Placed, alone: Mapping[str, Point]) -> Placed:
    """The boxes without an arrow, in rows below, about as wide as the rest."""
    if not alone:
        return layered
    area = sum((w + ROW_GAP) * (h + ROW_GAP) for w, h in alone.values())
    limit = max(layered.width, (area * 2.2) ** 0.5, max(w for w, _ in alone.values()))
    at = dict(layered.at)
    x, widest = 0.0, layered.width
    y = layered.height + (2 * ROW_GAP if layered.at else 0.0)
    bottom = y
    for key, (width, height) in alone.items():
        if x and x + width > limit:
            x, y = 0.0, bottom + ROW_GAP
        at[key] = (x, y)
        widest, bottom = max(widest, x + width), max(bottom, y + height)
        x += width + ROW_GAP
    return Placed(at, layered.paths, widest, bottom)
