"""What goes wrong between a client and a storage service, on request or at random."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from typing import Literal

FaultKind = Literal["429", "503", "reset", "stall", "truncated", "corrupted", "lost"]
Operation = Literal["bucket", "list", "stat", "download", "upload", "patch", "delete", "compose"]

_ALWAYS: tuple[FaultKind, ...] = ("429", "503", "reset", "stall")
FAULTS: dict[Operation, tuple[FaultKind, ...]] = {
    "bucket": _ALWAYS,
    "list": (*_ALWAYS, "truncated"),
    "stat": (*_ALWAYS, "truncated"),
    "download": (*_ALWAYS, "truncated", "corrupted"),
    "upload": (*_ALWAYS, "truncated", "corrupted", "lost"),
    "patch": (*_ALWAYS, "lost"),
    "delete": (*_ALWAYS, "lost"),
    "compose": (*_ALWAYS, "lost"),
}
"""What can go wrong with each operation: ``truncated`` ends the body half way (of the answer, or
of the request for uploads), ``corrupted`` flips a bit of the content on its way, ``lost`` does the
work and then cuts the connection without an answer."""


class Faults:
    """Decides which request fails and how.

    Args:
        rate: Share of requests that fail at random, 0 to 1.
        seed: Makes the decisions repeatable as far as the order of requests is.
        stall_s: How long a stalled request waits before its connection is cut.
    """

    def __init__(self, rate: float = 0.0, seed: int = 0, stall_s: float = 1.0) -> None:
        self.rate = rate
        self.stall_s = stall_s
        self.hit: Counter[tuple[Operation, FaultKind]] = Counter()
        self.exempt: set[tuple[Operation, FaultKind]] = set()
        """What does not happen at random."""
        self._random = random.Random(seed)
        self._planned: deque[tuple[Operation, FaultKind]] = deque()
        self._always: dict[Operation, FaultKind] = {}
        self._lock = threading.Lock()

    def repeat(self, seed: int) -> None:
        """Begin the same random decisions again."""
        self._random.seed(seed)

    def plan(self, operation: Operation, *kinds: FaultKind) -> None:
        """Fail the next requests of this operation, one for each kind."""
        assert set(kinds) <= set(FAULTS[operation])
        with self._lock:
            self._planned.extend((operation, kind) for kind in kinds)

    def always(self, operation: Operation, kind: FaultKind) -> None:
        """Fail every request of this operation until ``clear``."""
        assert kind in FAULTS[operation]
        with self._lock:
            self._always[operation] = kind

    def clear(self) -> None:
        """Fail nothing from now on."""
        with self._lock:
            self._planned.clear()
            self._always.clear()
            self.rate = 0.0

    def next(self, operation: Operation) -> FaultKind | None:
        """Return how the request at hand fails, or None."""
        with self._lock:
            kind = self._next(operation)
            if kind:
                self.hit[operation, kind] += 1
            return kind

    def _next(self, operation: Operation) -> FaultKind | None:
        for index, (planned, kind) in enumerate(self._planned):
            if planned == operation:
                del self._planned[index]
                return kind
        if operation in self._always:
            return self._always[operation]
        if self.rate and self._random.random() < self.rate:
            kind = self._random.choice(FAULTS[operation])
            return None if (operation, kind) in self.exempt else kind
        return None
