"""Tracing: what something was made of, and what was made of it, step by step.

What lies nearer comes first, in both directions; the depth, and the number of nodes, end it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipelines.lineage.naming import SHOWN, Index, Named
from pipelines.lineage.tracing.facts import TraceFacts
from pipelines.lineage.tracing.neighbours import IndexedExecution, Neighbours
from pipelines.lineage.tracing.origins import Beginning, origin_of
from pipelines.lineage.tracing.trace import (
    DEPTH,
    NODES_MAX,
    Direction,
    Trace,
    TracedDataset,
    TraceEdge,
    TraceNode,
)
from pipelines.runs.removal.erasures import Erasure

_VERSION_1 = (
    "{} of these steps have records of version 1, which name no files: which files an artifact "
    "holds is known by its listing in the store alone"
)


def trace(
    index: Index,
    named: Named,
    directions: Sequence[Direction] = ("up", "down"),
    depth: int = DEPTH,
    nodes_max: int = NODES_MAX,
    erasures: Sequence[Erasure] = (),
) -> Trace:
    """Trace what was named.

    Args:
        index: Of the store.
        named: What is asked about.
        directions: ``up`` to what it was made of, ``down`` to what was made of it.
        depth: How many steps, at least 1.
        nodes_max: How many artifacts and steps.
        erasures: Of the store: what they took is no longer counted among the images.

    Raises:
        UserError: The index knows nothing of it.
    """
    origin = origin_of(index, named)
    facts = TraceFacts(index, origin)
    tracing = _Tracing(index, origin, facts, nodes_max)
    for direction in directions:
        tracing.go(direction, depth)
    reached = tracing.artifacts
    releases = facts.releases(reached)
    datasets = [facts.dataset(one) for one in facts.datasets(reached, releases)]
    ended: list[str] = []
    if tracing.beyond:
        ended.append(
            f"it ends {depth} step{'s' if depth != 1 else ''} away, before {tracing.beyond} more "
            f"that are told with --depth {depth + 1}"
        )
    if tracing.full:
        ended.append(f"it ends after {nodes_max:,} artifacts and steps: ask about a nearer one")
    return Trace(
        what=origin.what,
        origins=tracing.origins,
        nodes=tracing.nodes,
        edges=tracing.edges,
        releases=releases,
        datasets=datasets,
        depth=depth,
        ended=ended,
        lacking=[*tracing.lacking(), *_erased(datasets, erasures)],
    )


class _Tracing:
    """A trace as it grows.

    Args:
        index: Of the store.
        origin: Where it begins.
        facts: Of releases and datasets, for the notes of artifacts.
        nodes_max: How many nodes it may have.
    """

    def __init__(self, index: Index, origin: Beginning, facts: TraceFacts, nodes_max: int) -> None:
        self._index = index
        self._origin = origin
        self._near: Neighbours = origin.neighbours
        self._facts = facts
        self._nodes_max = nodes_max
        self._nodes: dict[str, TraceNode] = {}
        self._edges: dict[TraceEdge, None] = {}
        self._further: dict[str, dict[Direction, int]] = defaultdict(dict)
        self._ids: dict[int, str] = {}
        self._versions: dict[str, int | None] = {}
        self.full = False
        self.beyond = 0
        self.origins = self._begin()

    def _begin(self) -> list[str]:
        """Add the nodes where it begins."""
        origin = self._origin
        if origin.step:
            return [self._step(origin.step)]
        artifacts = [self._artifact(one) for one in origin.artifacts]
        if origin.sha256 is None:
            return artifacts
        id_ = f"file {origin.sha256}"
        self._nodes = {
            id_: TraceNode(id_, "file", ", ".join(origin.names), digest=origin.sha256),
            **self._nodes,
        }
        for artifact in artifacts:
            self._edges[TraceEdge(id_, artifact, "file")] = None
        return [id_]

    @property
    def nodes(self) -> list[TraceNode]:
        """All nodes with what lies beyond them."""
        return [
            replace(one, further=dict(self._further[one.id])) if one.id in self._further else one
            for one in self._nodes.values()
        ]

    @property
    def edges(self) -> list[TraceEdge]:
        """All edges between them."""
        return list(self._edges)

    @property
    def artifacts(self) -> list[int]:
        """The artifacts, in the index."""
        return list(self._ids)

    def lacking(self) -> list[str]:
        """Say what the records of these steps do not say."""
        old = sum(version == 1 for version in self._versions.values())
        damaged = [id_.removeprefix("step ") for id_, v in self._versions.items() if not v]
        found = [_VERSION_1.format(old)] if old else []
        found += [f"the record {record} is missing or damaged" for record in damaged]
        for artifact in self._ids:
            for digest, state in self._index.execute(
                "SELECT digest, state FROM source WHERE id = ?", [artifact]
            ):
                found += _of_source(bytes(digest).hex()[:SHOWN], state)
        return found

    # growing --------------------------------------------------------------------------------------

    def go(self, direction: Direction, depth: int) -> None:
        """Follow a direction from where it begins."""
        seen: set[int] = set()
        if self._origin.step:
            around = self._through(self._origin.step, direction)
        else:
            around = list(self._origin.artifacts)
        level = 1 if self._origin.step else 0
        while around:
            around = [one for one in dict.fromkeys(around) if one not in seen]
            seen.update(around)
            if level == depth:
                for artifact in around:
                    self._end(artifact, direction)
                return
            around = [far for one in around for far in self._follow(one, direction)]
            level += 1

    def _steps(self, artifact: int, direction: Direction) -> tuple[list[IndexedExecution], int]:
        """Return the steps next to an artifact, and how many further ones are not told of."""
        if direction == "up":
            return self._near.makers(artifact)
        return self._near.users(artifact), 0

    def _end(self, artifact: int, direction: Direction) -> None:
        """Note what lies beyond an artifact where the trace ends."""
        steps, more = self._steps(artifact, direction)
        if count := sum(f"step {one.record}" not in self._nodes for one in steps) + more:
            self._further[self._ids[artifact]][direction] = count
            self.beyond += count

    def _follow(self, artifact: int, direction: Direction) -> list[int]:
        """Add the steps next to an artifact; return the artifacts on their other side."""
        steps, more = self._steps(artifact, direction)
        if more:
            self._further[self._ids[artifact]][direction] = more
        found: list[int] = []
        for step in steps:
            if self._room(f"step {step.record}"):
                found += self._through(step, direction)
            else:
                self._further[self._ids[artifact]][direction] = len(steps)
        return found

    def _through(self, step: IndexedExecution, direction: Direction) -> list[int]:
        """Add what a step used and made; return what lies in the direction."""
        id_ = self._step(step)
        before, after = self._near.used(step), self._near.made(step)
        ahead = before if direction == "up" else after
        for port, artifact in ahead:
            if self._room_for(artifact):
                end = self._artifact(artifact)
                edge = TraceEdge(end, id_, port) if direction == "up" else TraceEdge(id_, end, port)
                self._edges[edge] = None
        for port, artifact in after if direction == "up" else before:
            if artifact in self._ids:  # what it came from, and whatever else is told of
                near = self._ids[artifact]
                edge = (
                    TraceEdge(id_, near, port) if direction == "up" else TraceEdge(near, id_, port)
                )
                self._edges[edge] = None
        return [artifact for _, artifact in ahead if artifact in self._ids]

    def _room(self, id_: str) -> bool:
        """Whether a node is there or may be added."""
        if id_ in self._nodes or len(self._nodes) < self._nodes_max:
            return True
        self.full = True
        return False

    def _room_for(self, artifact: int) -> bool:
        return artifact in self._ids or self._room(f"artifact {artifact}")

    # nodes ----------------------------------------------------------------------------------------

    def _step(self, step: IndexedExecution) -> str:
        id_ = f"step {step.record}"
        if id_ not in self._nodes:
            notes = [_times("the same bytes were made", step.alike)] if step.alike else []
            self._nodes[id_] = TraceNode(
                id_, "step", step.step, run=step.run, component=step.component, notes=notes
            )
            self._versions[id_] = step.version
        return id_

    def _artifact(self, artifact: int) -> str:
        if artifact not in self._ids:
            ((digest, kind),) = self._index.execute(
                "SELECT digest, kind FROM artifact WHERE id = ?", [artifact]
            )
            id_ = f"artifact {bytes(digest).hex()}"
            self._ids[artifact] = id_
            self._nodes[id_] = TraceNode(
                id_, "artifact", kind, digest=bytes(digest).hex(), notes=self._notes(artifact, kind)
            )
        return self._ids[artifact]

    def _notes(self, artifact: int, kind: str) -> list[str]:
        if kind == "Dataset":
            return [f"{n:,} {where}" for where, n in self._facts.images(artifact).items()]
        if kind == "Release":
            return [
                f"{name}, {state}" if state else name
                for name, state in self._index.execute(
                    "SELECT DISTINCT name, state FROM release WHERE artifact = ? ORDER BY name",
                    [artifact],
                )
            ]
        if kind == "Source":
            return [
                row[0]
                for row in self._index.execute(
                    "SELECT DISTINCT name FROM run_source WHERE source = ? ORDER BY name",
                    [artifact],
                )
            ]
        return []


def _times(what: str, count: int) -> str:
    return f"{what} {count} more time{'s' if count != 1 else ''}"


def _erased(datasets: Sequence[TracedDataset], erasures: Sequence[Erasure]) -> list[str]:
    """Say of which datasets images were erased, that are not counted any more."""
    thinned = {tree for one in erasures for tree, images in one.datasets.items() if images}
    return [
        f"images were erased from Dataset {one.digest[:SHOWN]}: what was made of it was made of "
        "them, too"
        for one in datasets
        if one.digest in thinned
    ]


def _of_source(digest: str, state: str | None) -> list[str]:
    """Say what is not known of a source whose listing is in this state."""
    if state == "absent":
        told = "was read by an earlier version, which kept no listing of its files: only the "
        return [f"source {digest} {told}manifests of its datasets name them"]
    if state in ("erased", "missing", "damaged"):
        return [f"the listing of source {digest} is {state}"]
    return []
