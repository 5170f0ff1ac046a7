"""Scheduling a graph on one machine: what the local and the docker engine have in common.

It looks every step up in the action cache, stages inputs, hands a job to a ``Runner``, and commits
what came out. A runner knows only how to execute one job.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from components.contract.errors import UserError
from pipelines.engines.machine.claims import Claims
from pipelines.engines.machine.execution import Context
from pipelines.engines.machine.graph_pass import Pass
from pipelines.engines.machine.runner import Runner
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.graph import Graph
from pipelines.runs.keys import NO_OTHERS, Fingerprints
from pipelines.runs.live.events import (
    StepDone,
    StepEvent,
)
from pipelines.sources.snapshot import Snapshot
from pipelines.stores.leases import LENGTH_S

_MAX_PASSES = 5


class Scheduler:
    """The ``Engine`` of one machine.

    Args:
        runner: Executes the steps.
        cache: Where results are looked up and committed.
        work: A folder of this run's own on this machine.
        remeasure: Measure again what was disturbed the last time.
        devices: Fingerprints of the devices of the graph that are not this machine.
        lease_s: How long this engine may be silent before others on the store take its steps.
    """

    def __init__(
        self,
        runner: Runner,
        cache: Cache,
        work: Path,
        *,
        remeasure: bool = False,
        devices: Fingerprints = NO_OTHERS,
        lease_s: float = LENGTH_S,
    ) -> None:
        self.name = runner.name
        self.page = None
        self.detached = False
        self.still_running = False
        self._runner = runner
        self._cache = cache
        self._work = work
        self._remeasure = remeasure
        self._devices = devices
        self._lease_s = lease_s
        self._cancelled = threading.Event()
        self._attempts: dict[str, int] = {}

    def left(self, graph: Graph, sources: Mapping[str, Snapshot]) -> str | None:  # noqa: ARG002
        """See ``Engine``: here no run is left without its process."""
        return None

    def cancel(self, *, for_good: bool = False) -> None:  # noqa: ARG002
        """See ``Engine``: here nothing goes on without this process."""
        self._cancelled.set()
        self._runner.cancel()

    def submit(
        self, graph: Graph, sources: Mapping[str, Snapshot], run: str
    ) -> Iterator[StepEvent]:
        """See ``Engine``. Broken bytes in the store end a pass; the next one repairs them.

        Raises:
            UserError: An image is missing, or the store keeps breaking.
        """
        context = Context(
            self._runner, self._cache, self._work, run, sources, self._cancelled, self._attempts,
            self._devices,
        )  # fmt: skip
        ready: dict[str, StepDone] = {}
        broken: CorruptionError | None = None
        claims: Claims | None = None
        try:
            self._runner.prepare(graph)
            claims = Claims(self._cache, self.name, run, self._lease_s)
            for _ in range(_MAX_PASSES):
                one = Pass(context, graph, claims, remeasure=self._remeasure)
                for event in one.events():
                    if isinstance(event, StepDone):
                        before = ready.get(event.step)
                        if event.cached and before and before.outputs == event.outputs:
                            continue
                        ready[event.step] = event
                    yield event
                if (broken := one.broken) is None:
                    return
        finally:
            if claims:
                claims.close()
            self._runner.close()
        raise UserError(
            f"the store {self._cache.store.uri} broke {_MAX_PASSES} times during one run, "
            f"the last time at {broken.key if broken else 'no key'}",
            "check the disk or the bucket under the store, then run again",
        )
