"""How long a run still takes, while it goes on."""

from __future__ import annotations

import time

from pipelines.runs.graph import Graph
from pipelines.runs.live.estimates import left_s, usable_cores
from pipelines.runs.live.events import (
    Estimated,
    Event,
    Planned,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
)


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
        now = time.monotonic()
        running_s = {step: now - began for step, began in self._began.items()}
        own_left_s = {step: left - (now - at) for step, (at, left) in self._own.items()}
        return left_s(
            self._graph, self._ended, running_s, own_left_s, self._duration_s, usable_cores()
        )
