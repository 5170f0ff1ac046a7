"""What a store holds, counted from its index: too dear with millions of rows for every request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pipelines.lineage.index.opening import OpenIndex

_FRESH_S = 30.0
_SLOW = 20.0
"""A count that took long is good for so many times as long."""


@dataclass(frozen=True)
class ArtifactKind:
    """Artifacts of a kind.

    Attributes:
        name: Of the kind.
        count: How many.
        size_bytes: All of their files together; files of several count for each.
    """

    name: str
    count: int
    size_bytes: int


@dataclass(frozen=True)
class Counts:
    """What a store holds.

    Attributes:
        kinds: Of artifacts, the largest first.
        runs: By outcome how many.
        steps: By state how many.
        releases: By name and state how many.
        last_run: When the latest run began, ISO 8601; empty where there is none.
        tombstones: How many values are gone on purpose.
    """

    kinds: Sequence[ArtifactKind]
    runs: Mapping[str, int]
    steps: Mapping[str, int]
    releases: Mapping[tuple[str, str], int]
    last_run: str
    tombstones: int

    @property
    def artifacts(self) -> int:
        """How many artifacts there are."""
        return sum(kind.count for kind in self.kinds)

    @property
    def size_bytes(self) -> int:
        """How much they are together."""
        return sum(kind.size_bytes for kind in self.kinds)


class StoreCounts:
    """Counts what a store holds, and keeps the answer for a while; for many threads.

    Args:
        index: Opens the index for the thread that asks.
    """

    def __init__(self, index: Callable[[], AbstractContextManager[OpenIndex]]) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._found: tuple[str, float, Counts] | None = None

    def read(self) -> Counts:
        """Return what the store holds, or held less than a minute ago.

        Raises:
            UserError: There is no index yet.
        """
        with self._lock, self._index() as index:
            stamp, began = index.stamp, time.monotonic()
            if self._found and (self._found[0] == stamp or began < self._found[1]):
                return self._found[2]
            counts = _counted(index)
            ended = time.monotonic()
            self._found = (stamp, ended + max(_FRESH_S, _SLOW * (ended - began)), counts)
            return counts


def _counted(index: OpenIndex) -> Counts:
    kinds = index.execute(
        "SELECT kind, count(*), coalesce(sum(bytes), 0) FROM artifact GROUP BY kind ORDER BY 3 DESC"
    )
    runs = index.execute("SELECT outcome, count(*) FROM run GROUP BY outcome ORDER BY outcome")
    steps = index.execute("SELECT state, count(*) FROM run_step GROUP BY state ORDER BY state")
    releases = index.execute(
        "SELECT name, coalesce(state, 'unknown'), count(*) FROM release GROUP BY 1, 2 ORDER BY 1, 2"
    )
    last = index.one("SELECT max(started) FROM run")
    gone = index.one("SELECT count(*) FROM tombstone")
    return Counts(
        [ArtifactKind(*row) for row in kinds],
        {outcome: count for outcome, count in runs},  # noqa: C416 rows of a query
        {state: count for state, count in steps},  # noqa: C416
        {(name, state): count for name, state, count in releases},
        last_run=str(last[0] or "") if last else "",
        tombstones=gone[0] if gone else 0,
    )
