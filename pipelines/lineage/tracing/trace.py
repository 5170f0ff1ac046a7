"""The answer to where something came from: artifacts, steps, and what flows between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Direction: TypeAlias = Literal["up", "down"]
Kind: TypeAlias = Literal["artifact", "step", "file"]

DEPTH = 3
"""Steps that a trace goes in each direction where nobody asks for another number."""

NODES_MAX = 2_000
"""Artifacts and steps of the longest answer."""


@dataclass(frozen=True)
class TraceNode:
    """An artifact, the step that made it, or a file of the user's.

    Attributes:
        id: Unique in the trace; two traces of one store give the same thing the same one.
        kind: ``artifact``, ``step`` or ``file``.
        name: Of an artifact its kind, such as ``LiteModel``; of a step its own; of a file its path
            in the artifact or in the data.
        digest: Of an artifact its tree (of a source its listing), of a file its bytes; of a step
            none.
        run: Of a step the run that executed it.
        component: Of a step what ran.
        notes: What else a reader must know, a few words each: which release it is, how many images
            are in which split, how many further executions gave the same bytes.
        further: Neighbours that were not followed as the trace ended here, by direction.
    """

    id: str
    kind: Kind
    name: str
    digest: str | None = None
    run: str | None = None
    component: str | None = None
    notes: Sequence[str] = ()
    further: Mapping[Direction, int] = field(default_factory=dict[Direction, int])


@dataclass(frozen=True)
class TraceEdge:
    """Something that flows: from an artifact into a step, or from a step into an artifact.

    Attributes:
        start: Where from: the id of a node.
        end: Where to.
        port: Name of the input or output; of a file that is in an artifact ``file``.
    """

    start: str
    end: str
    port: str


@dataclass(frozen=True)
class TracedRelease:
    """A release that the question is about, or that holds something of it.

    Attributes:
        name: The configuration's name.
        run: The run that published it.
        release: Its tree digest.
        state: ``champion``, ``candidate``, ``older`` than the champion, ``past``, ``rolled back``,
            ``unqualified``, or ``unknown`` where its manifest cannot be read.
        roles: Of an image what it was for in the making of it: splits, or why it is in none.
    """

    name: str
    run: str
    release: str
    state: str
    roles: Sequence[str] = ()


@dataclass(frozen=True)
class TracedDataset:
    """Images that the thing asked about was made of, or that an image is among.

    Attributes:
        digest: Tree digest of the Dataset.
        source: Digest of the user's files that it was made of; null where no record says it.
        images: How many images are in which split, or in none, by the reason.
        fates: Of an image its names here, each with its split or the reason why it is in none.
    """

    digest: str
    source: str | None
    images: Mapping[str, int]
    fates: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Trace:
    """What something was made of and what was made of it.

    Attributes:
        what: What was asked about, in words.
        origins: Ids of the nodes where the trace begins.
        nodes: The nearest to the origins first.
        edges: What flows between them.
        releases: That it is, is in, or has gone into.
        datasets: Whose images it was made of, or that it is an image of.
        depth: How many steps it went in each direction, at most.
        ended: Why the trace ended before everything was told, in sentences; empty where it is
            whole.
        lacking: What the records do not say, in sentences.
    """

    what: str
    origins: Sequence[str]
    nodes: Sequence[TraceNode]
    edges: Sequence[TraceEdge]
    releases: Sequence[TracedRelease]
    datasets: Sequence[TracedDataset]
    depth: int
    ended: Sequence[str] = ()
    lacking: Sequence[str] = ()
