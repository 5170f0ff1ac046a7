"""A trace as a terminal shows it: releases, images, then a tree with repeats folded."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pipelines.lineage.naming import SHOWN
from pipelines.lineage.tracing.trace import Direction, Trace, TraceNode

_HEADINGS: Mapping[Direction, str] = {"up": "made of", "down": "used for"}
_MOST_RELEASES = 20
_ELSEWHERE = " (shown elsewhere)"


def lines_of(trace: Trace, directions: Sequence[Direction]) -> Iterator[str]:
    """Yield the lines of an answer.

    Args:
        trace: The answer.
        directions: Which of its trees are shown, in this order.
    """
    yield trace.what
    yield from _releases(trace)
    yield from _images(trace)
    for direction in directions:
        tree = _TraceTree(trace, direction)
        lines = list(tree.lines())
        if lines:
            yield f"{_HEADINGS[direction]}, by steps of {tree.run} where no other run is named:"
            yield from lines
    yield from (f"note: {sentence}" for sentence in (*trace.ended, *trace.lacking))


def _releases(trace: Trace) -> Iterator[str]:
    for one in trace.releases[:_MOST_RELEASES]:
        roles = f"; in it: {', '.join(one.roles)}" if one.roles else ""
        yield (
            f"release {one.release[:SHOWN]} of {one.name}: {one.state}, published by {one.run}"
            f"{roles}"
        )
    if len(trace.releases) > _MOST_RELEASES:
        yield f"and {len(trace.releases) - _MOST_RELEASES} more releases: --json lists them"


def _images(trace: Trace) -> Iterator[str]:
    for one in trace.datasets:
        source = f" of source {one.source[:SHOWN]}" if one.source else ""
        if one.fates:
            fates = "; ".join(f"{name}: {fate}" for name, fate in one.fates.items())
            yield f"Dataset {one.digest[:SHOWN]}{source}: {fates}"
        elif one.images:
            images = ", ".join(f"{count:,} {where}" for where, count in one.images.items())
            yield f"Dataset {one.digest[:SHOWN]}{source}: {images}"


@dataclass
class _Line:
    """A line of the tree.

    Attributes:
        text: What it says.
        below: What stands below it.
        elsewhere: Whether it names what is shown elsewhere.
    """

    text: str
    below: Sequence[_Line] = ()
    elsewhere: bool = False


def _drawn(lines: Sequence[_Line], indent: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        last = number == len(lines)
        yield f"{indent}{'└' if last else '├'} {line.text}{_ELSEWHERE if line.elsewhere else ''}"
        yield from _drawn(line.below, f"{indent}{' ' if last else '│'} ")


_Next: TypeAlias = tuple[str, TraceNode]
"""A port, and what lies behind it."""


class _TraceTree:
    """The tree of one direction: everything once, where it lies nearest to the beginning.

    On the way up its lines are artifacts, which say what made them; on the way down they are steps,
    which say what they made.
    """

    def __init__(self, trace: Trace, direction: Direction) -> None:
        self._trace = trace
        self._direction: Direction = direction
        self._nodes = {node.id: node for node in trace.nodes}
        self._before: dict[str, list[_Next]] = defaultdict(list)
        self._after: dict[str, list[_Next]] = defaultdict(list)
        for edge in trace.edges:
            self._before[edge.end].append((edge.port, self._nodes[edge.start]))
            self._after[edge.start].append((edge.port, self._nodes[edge.end]))
        runs = Counter(node.run for node in trace.nodes if node.run)
        self.run = max(runs, key=lambda run: (runs[run], run)) if runs else None
        self._owner = self._owners()

    def _owners(self) -> dict[str, str | None]:
        """Return below which other one everything stands."""
        owner: dict[str, str | None] = dict.fromkeys(self._trace.origins)
        todo = deque(self._trace.origins)
        while todo:
            id_ = todo.popleft()
            for _, node in self._next(self._nodes[id_]):
                if node.id not in owner:
                    owner[node.id] = id_
                    todo.append(node.id)
        return owner

    def lines(self) -> Iterator[str]:
        """Yield the lines; none where nothing lies in this direction."""
        for id_ in self._trace.origins:
            below = self._below(self._nodes[id_])
            if below:
                yield f"  {self._described(self._nodes[id_])}"
                yield from _drawn(below, "  ")

    def _below(self, node: TraceNode) -> list[_Line]:
        lines: list[_Line] = []
        others: dict[str, list[TraceNode]] = defaultdict(list)
        shown: set[str] = set()
        for port, one in self._next(node):
            if self._owner[one.id] != node.id or one.id in shown:
                others[port].append(one)
                continue
            shown.add(one.id)
            start = f"{port}: " if self._direction == "up" and port else ""
            lines.append(_Line(f"{start}{self._described(one)}", self._below(one)))
        if self._direction == "up":
            lines += [
                _Line(f"{port}: {', '.join(map(_bare, found))}", elsewhere=True)
                for port, found in others.items()
            ]
        elif steps := {
            one.id: one
            for found in others.values()
            for one in found
            if one.id not in {node.id, *shown}
        }:
            names = ", ".join(self._step(one) for one in steps.values())
            lines.append(_Line(f"also {names}", elsewhere=True))
        if further := self._further(node):
            lines.append(_Line(f"{further} more step{'s' if further != 1 else ''}"))
        return lines

    def _further(self, node: TraceNode) -> int:
        """Return how many steps beyond a line are not told of."""
        if self._direction == "up" or node.kind != "step":
            return node.further.get(self._direction, 0)
        return sum(made.further.get("down", 0) for _, made in self._after[node.id])

    def _next(self, node: TraceNode) -> list[_Next]:
        """Return what lies next to a line in the direction of the tree."""
        if node.kind == "file":
            return [("in", holder) for _, holder in self._after[node.id]]
        if self._direction == "up":
            steps = [node] if node.kind == "step" else self._makers(node)
            return [flow for step in steps for flow in self._before[step.id]]
        if node.kind == "step":
            made = [artifact for _, artifact in self._after[node.id]]
            return [user for artifact in made for user in self._after[artifact.id]]
        return self._after[node.id]

    def _makers(self, node: TraceNode) -> list[TraceNode]:
        found = {one.id: one for _, one in self._before[node.id] if one.kind == "step"}
        return list(found.values())

    def _described(self, node: TraceNode) -> str:
        if node.kind == "step":
            if self._direction == "up":
                return self._step(node)
            made = ", ".join(f"{port} {_short(one)}" for port, one in self._after[node.id])
            return f"{self._step(node)}: {made or 'made nothing'}"
        makers = self._makers(node) if self._direction == "up" else []
        by = f" by {' or '.join(map(self._step, makers))}" if makers else ""
        return f"{_short(node)}{by}"

    def _step(self, step: TraceNode) -> str:
        run = "" if step.run == self.run else f" of {step.run}"
        notes = f" ({', '.join(step.notes)})" if step.notes else ""
        return f"{step.name}{run}{notes}"


def _bare(node: TraceNode) -> str:
    return f"{node.name} {(node.digest or '')[:SHOWN]}"


def _short(node: TraceNode) -> str:
    digest = f" {node.digest[:SHOWN]}" if node.digest else ""
    notes = f" ({', '.join(node.notes)})" if node.notes else ""
    return f"file{digest} {node.name}" if node.kind == "file" else f"{node.name}{digest}{notes}"
