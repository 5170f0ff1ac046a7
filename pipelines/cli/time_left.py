"""How long a run still takes, while it goes on."""

from __future__ import annotations

import time

from pipelines.runs.estimates import makespan, usable_cores
from pipelines.runs.events import (
    Estimated,
    Event,
    Planned,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
)
from pipelines.runs.graph import Graph


class TimeLeft:
    """How long a run still takes, as earlier runs and its own steps tell."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._duration_s: dict[str, float] = {}
        self._ended: set[str] = set()
        self._began: dict[str, float] = {}
        self._own: dict[str, tuple[float, float]] = {}

    def on_event(self, event: Event) -> None:
        """Take one event."""
        now = time.monotonic()
        match event:
            case Planned():
                self._graph = event.graph
            case Estimated():
                self._duration_s = dict(event.duration_s)
            case StepStarted():
                self._began[event.step] = now
            case StepProgress() if event.left_s is not None:
                self._own[event.step] = now, event.left_s
            case StepDone() | StepFailed() | StepSkipped():
                self._ended.add(event.step)
            case _:
                pass

    def seconds(self) -> float | None:
        """Return how long the rest takes; None where it is not known of every step."""
        if self._graph is None:
            return None
        left: dict[str, float] = {}
        for step in self._graph.steps:
            if step.name in self._ended:
                continue
            seconds = self._of(step.name)
            if seconds is None:
                return None
            left[step.name] = seconds
        return makespan(self._graph, left, self._began.keys() - self._ended, usable_cores())

    def _of(self, step: str) -> float | None:
        now = time.monotonic()
        if step in self._own:
            at, left_s = self._own[step]
            return max(0.0, left_s - (now - at))
        if step not in self._duration_s:
            return None
        return max(0.0, self._duration_s[step] - (now - self._began.get(step, now)))
