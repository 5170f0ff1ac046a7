"""What may run at the same time on one machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property

import psutil

from pipelines.engines.machine.gpus import Gpu, gpus_here
from pipelines.runs.graph import Step

_MEMORY_SHARE = 0.9  # of the machine's memory, for all steps together


class Admission:
    """Counts cores, memory and GPUs that running steps have declared.

    A step that measures this machine runs alone. One that measures another device takes no core
    here, and that device for itself; the machine's measurements would notice it all the same. A
    step that wants more than the machine has runs alone too: its limit ends it if it really takes
    that much.
    """

    def __init__(self) -> None:
        self.cores = len(os.sched_getaffinity(0))
        self._memory_gb = psutil.virtual_memory().total / 1e9 * _MEMORY_SHARE
        self._running: dict[str, Step] = {}

    @cached_property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs of this machine; looked for when a step wants one.

        Raises:
            UserError: There is none.
        """
        return gpus_here()

    def gpus_for(self, step: Step) -> tuple[Gpu, ...]:
        """Return the GPUs that a step may be given one of.

        Raises:
            UserError: It wants one, and this machine has none.
        """
        return self.gpus if step.gpu else ()

    def enter(self, step: Step) -> bool:
        """Admit the step if it fits beside what runs."""
        running = self._running.values()
        if running:
            if step.gpu and not self._free_gpu():
                return False
            if step.alone or any(s.alone for s in running):
                return False
            if step.elsewhere and any(s.occupies == step.occupies for s in running):
                return False
            if sum(s.threads for s in running) + step.threads > self.cores:
                return False
            if sum(s.memory_gb for s in running) + step.memory_gb > self._memory_gb:
                return False
        self._running[step.name] = step
        return True

    def obstacle(self, step: Step) -> str:
        """Say what keeps a step that was not admitted from starting."""
        names = " and ".join(sorted(self._running)) or "nothing"
        if step.gpu and not self._free_gpu():
            having = " and ".join(sorted(s.name for s in self._running.values() if s.gpu))
            return f"a GPU: {having} {'has' if len(self.gpus) == 1 else 'have'} {self._all_gpus}"
        for other in self._running.values():
            if step.elsewhere and other.occupies == step.occupies:
                return f"{step.occupies}: {other.name} runs on it"
        if step.alone or any(running.alone for running in self._running.values()):
            one = len(self._running) == 1
            return f"the machine: {names} {'runs' if one else 'run'} on it"
        return f"room on the machine: {names} take{'s' if len(self._running) == 1 else ''} it"

    def _free_gpu(self) -> bool:
        return sum(running.gpu for running in self._running.values()) < len(self.gpus)

    @property
    def _all_gpus(self) -> str:
        return "the only one" if len(self.gpus) == 1 else f"all {len(self.gpus)}"

    def leave(self, name: str) -> None:
        """Give back what the step had."""
        del self._running[name]


def by_urgency(steps: Iterable[Step], height: dict[str, int]) -> list[Step]:
    """Order steps that could start: what measures time last, since it stops everything else.

    Among the others the one with the longest way to the end of the graph comes first.
    """
    return sorted(steps, key=lambda s: (s.alone, -height[s.name], s.name))
