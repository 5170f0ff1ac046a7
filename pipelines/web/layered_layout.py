"""Layered layout of a directed graph: columns from left to right, few crossings, straight lines.

References:
    Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures
    (1981): columns, then order within them by barycentres, then places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TypeAlias

Edge: TypeAlias = tuple[str, str]
_Bend: TypeAlias = tuple[str, str, int]  # the edge, and the column that it passes through
_Spot: TypeAlias = str | _Bend

_SWEEPS = 12
_APART = {(False, False): 1.0, (False, True): 0.62, (True, False): 0.62, (True, True): 0.3}
_STRAIGHT = 6.0  # how much more a bend wants to lie level with the next bend than with a node


@dataclass(frozen=True)
class Layout:
    """Where everything lies.

    Attributes:
        columns: The nodes of every column, top to bottom.
        rows: How far down each node lies; 1 is the distance of two neighbours.
        routes: For every edge that is drawn the row in each column from its start to its end.
        height: Rows of the whole.
    """

    columns: tuple[tuple[str, ...], ...]
    rows: Mapping[str, float]
    routes: Mapping[Edge, tuple[tuple[int, float], ...]]
    height: float


def lay_out(nodes: Sequence[str], edges: Iterable[Edge]) -> Layout:
    """Place the nodes of a graph without cycles.

    An edge that a longer path implies is left out: it says nothing that the path does not. Every
    node lies as far right as what follows allows, so that equal steps share a column.

    Args:
        nodes: Names, in the order that decides where nothing else does.
        edges: Pairs of names, from and to.

    Raises:
        CycleError: There is a cycle.
    """
    kept = _reduced(nodes, edges)
    column = _columns(nodes, kept)
    layers, links = _with_bends(nodes, kept, column)
    _order(layers, links)
    rows = _rows(layers, links)
    top = min(rows.values(), default=0.0)
    rows = {spot: row - top for spot, row in rows.items()}
    routes: dict[Edge, tuple[tuple[int, float], ...]] = {}
    for start, end in kept:
        inner = range(column[start] + 1, column[end])
        bends = [(at, rows[start, end, at]) for at in inner]
        routes[start, end] = (
            (column[start], rows[start]), *bends, (column[end], rows[end]),
        )  # fmt: skip
    return Layout(
        columns=tuple(tuple(s for s in layer if isinstance(s, str)) for layer in layers),
        rows={name: rows[name] for name in nodes},
        routes=routes,
        height=max(rows.values(), default=0.0) + 1,
    )


def _reduced(nodes: Sequence[str], edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges that no longer path implies, in order."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for start, end in dict.fromkeys(edges):
        after[start].append(end)
    sorter = TopologicalSorter(after)
    reach: dict[str, set[str]] = {}
    kept: list[Edge] = []
    for name in sorter.static_order():  # ends first, as "after" was given for "before"
        beyond = {far for end in after[name] for far in reach[end]}
        kept += [(name, end) for end in after[name] if end not in beyond]
        reach[name] = beyond | set(after[name])
    place = {name: index for index, name in enumerate(nodes)}
    return sorted(kept, key=lambda edge: (place[edge[0]], place[edge[1]]))


def _columns(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the column of every node, counted from the left."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for start, end in edges:
        after[start].append(end)
    to_go: dict[str, int] = {}
    for name in TopologicalSorter(after).static_order():
        to_go[name] = 1 + max((to_go[end] for end in after[name]), default=-1)
    longest = max(to_go.values(), default=0)
    return {name: longest - steps for name, steps in to_go.items()}


def _with_bends(
    nodes: Sequence[str], edges: Sequence[Edge], column: Mapping[str, int]
) -> tuple[list[list[_Spot]], list[tuple[_Spot, _Spot]]]:
    """Cut edges that span several columns into pieces from column to column."""
    layers: list[list[_Spot]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for name in nodes:
        layers[column[name]].append(name)
    links: list[tuple[_Spot, _Spot]] = []
    for start, end in edges:
        bends: list[_Spot] = [(start, end, at) for at in range(column[start] + 1, column[end])]
        for at, bend in enumerate(bends, column[start] + 1):
            layers[at].append(bend)
        links += pairwise([start, *bends, end])
    return layers, links


def _neighbours(
    links: Sequence[tuple[_Spot, _Spot]],
) -> tuple[dict[_Spot, list[_Spot]], dict[_Spot, list[_Spot]]]:
    before: dict[_Spot, list[_Spot]] = defaultdict(list)
    after: dict[_Spot, list[_Spot]] = defaultdict(list)
    for start, end in links:
        after[start].append(end)
        before[end].append(start)
    return before, after


def _order(layers: list[list[_Spot]], links: Sequence[tuple[_Spot, _Spot]]) -> None:
    """Sort every column, in place, such that few links cross."""
    before, after = _neighbours(links)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, after)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        around = before if forward else after
        for layer in layers if forward else reversed(layers):
            place = {spot: index for each in layers for index, spot in enumerate(each)}
            old = {spot: float(index) for index, spot in enumerate(layer)}

            def barycentre(
                spot: _Spot,
                place: Mapping[_Spot, int] = place,
                old: Mapping[_Spot, float] = old,
                around: Mapping[_Spot, Sequence[_Spot]] = around,
            ) -> tuple[float, float]:
                near = around.get(spot, ())
                mean = sum(place[other] for other in near) / len(near) if near else old[spot]
                return mean, old[spot]

            layer.sort(key=barycentre)
        count = _crossings(layers, after)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    layers[:] = best


def _crossings(layers: Sequence[Sequence[_Spot]], after: Mapping[_Spot, Sequence[_Spot]]) -> int:
    count = 0
    for left, right in pairwise(layers):
        place = {spot: index for index, spot in enumerate(right)}
        ends = [sorted(place[end] for end in after.get(spot, ())) for spot in left]
        seen: list[int] = []
        for group in ends:
            count += sum(other > end for end in group for other in seen)
            seen += group
    return count


def _rows(
    layers: Sequence[Sequence[_Spot]], links: Sequence[tuple[_Spot, _Spot]]
) -> dict[_Spot, float]:
    """Move everything level with its neighbours as far as order and distances allow."""
    before, after = _neighbours(links)
    rows: dict[_Spot, float] = {}
    for layer in layers:
        rows |= _spaced(layer, [float(index) for index in range(len(layer))])
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_wanted(spot, (*before[spot], *after[spot]), rows) for spot in layer]
            rows |= _spaced(layer, wanted)
    return rows


def _wanted(spot: _Spot, near: Sequence[_Spot], rows: Mapping[_Spot, float]) -> float:
    bend = not isinstance(spot, str)
    weights = [_STRAIGHT if bend and not isinstance(other, str) else 1.0 for other in near]
    if not weights:
        return rows[spot]
    pulled = sum(weight * rows[other] for weight, other in zip(weights, near, strict=True))
    return pulled / sum(weights)


def _spaced(layer: Sequence[_Spot], wanted: Sequence[float]) -> dict[_Spot, float]:
    """Return the rows nearest to ``wanted``, in least squares, that keep order and distance.

    Pool adjacent violators: with the distances taken off, it is isotonic regression.
    """
    offsets = [0.0]
    for above, below in pairwise(layer):
        kinds = (not isinstance(above, str), not isinstance(below, str))
        offsets.append(offsets[-1] + _APART[kinds])
    blocks: list[tuple[float, int]] = []  # mean and count
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, more = blocks.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return {spot: mean + offset for spot, mean, offset in zip(layer, means, offsets, strict=False)}
