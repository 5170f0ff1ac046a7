"""How far a run is: written into its store again and again while it goes on, read by anybody.

``runs/<run>/progress.json`` has one writer, the engine's process. Whoever finds another's version
there has lost the run, and writes no more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.runs.graph import Graph
from pipelines.runs.live.events import (
    Event,
    StepCached,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from pipelines.runs.live.settled_steps import settled_json
from pipelines.runs.moments import now
from pipelines.stores.layout import progress_key
from pipelines.stores.store import KeyMissing, Store

EVERY_S = 5.0
"""The least time between two versions, and the longest without one: a bucket takes one a second."""

SILENT_S = 60.0
"""Without a beat for so long, a run of another machine is taken for killed."""

_AHEAD_S = 300.0  # as far may the clock of another machine be ahead


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        run: Identifier of the run.
        epoch: Counts the writers of this object, from 1: one that was replaced writes no more.
        beat: Counts the versions, from 1.
        at: When this version was written: ISO 8601, UTC.
        every_s: The writer promises the next version after at most so many seconds.
        ended: The writer will write no further version.
        steps: By name: ``component`` and ``state``, which is ``waiting``, ``running`` or how it
            ended, as in the record of the run; ``since`` when; of one that waits ``waits_for``, of
            one that runs ``attempt`` and ``progress``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    run: str
    epoch: Annotated[int, Field(ge=1)]
    beat: Annotated[int, Field(ge=1)]
    at: str
    every_s: Annotated[float, Field(gt=0)]
    ended: bool
    steps: Mapping[str, Mapping[str, Any]]
    schema: Literal[1] = 1

    def silent(self, present: str) -> bool:
        """Whether its writer has broken its promise for long.

        Args:
            present: ISO 8601, UTC, by the clock of who asks.
        """
        try:
            age = datetime.fromisoformat(present) - datetime.fromisoformat(self.at)
        except (ValueError, TypeError):
            return False
        return not -_AHEAD_S < age.total_seconds() < max(SILENT_S, 4 * self.every_s)


_PROGRESS = TypeAdapter(RunProgress)


def read_progress(store: Store, run: str) -> RunProgress | None:
    """Return how far a run is or was; None where nothing tells, or nothing that can be read."""
    try:
        return _PROGRESS.validate_json(store.get(progress_key(run)))
    except (KeyMissing, ValidationError):
        return None


class ProgressWriter:
    """Keeps ``progress.json`` of a run up to date while it goes on.

    A thread of its own writes, so that the beat tells whether the process lives, whatever the
    engine waits for.

    Args:
        store: Where.
        run: Identifier of the run.
        graph: Its steps.
        every_s: Least time between two versions, and longest without one.
    """

    def __init__(self, store: Store, run: str, graph: Graph, every_s: float = EVERY_S) -> None:
        self._store = store
        self._run = run
        self._every_s = every_s
        self._steps: dict[str, dict[str, Any]] = {
            step.name: {"component": step.component, "state": "waiting", "since": now()}
            for step in graph.ordered
        }
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._beat = 0
        self._lost = False
        self._version: str | None = None
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def __enter__(self) -> Self:
        """Write the first version, and all others from now on."""
        self._write(ended=False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write the last version."""
        self._closed.set()
        self._thread.join()
        self._write(ended=True)

    def on_event(self, event: Event) -> None:
        """Take one event of the run."""
        with self._lock:
            match event:
                case StepWaiting() if self._state(event.step) == "waiting":
                    self._steps[event.step]["waits_for"] = event.what
                case StepStarted():
                    self._set(event.step, "running", attempt=event.attempt)
                case StepCached():
                    self._set(event.step, "cached")
                case StepProgress() if self._state(event.step) == "running":
                    told = asdict(event.progress)
                    self._steps[event.step]["progress"] = {
                        **{name: value for name, value in told.items() if value is not None},
                        **({} if event.left_s is None else {"left_s": round(event.left_s, 1)}),
                    }
                case StepDone() | StepFailed() | StepSkipped():
                    settled = settled_json(event)
                    self._set(event.step, str(settled.pop("state")), **settled)
                case _:
                    return

    def _state(self, step: str) -> object:
        return self._steps[step]["state"]

    def _set(self, step: str, state: str, **more: object) -> None:
        component = self._steps[step]["component"]
        self._steps[step] = {"component": component, "state": state, "since": now(), **more}

    def _work(self) -> None:
        while not self._closed.wait(self._every_s):
            self._write(ended=False)

    def _write(self, *, ended: bool) -> None:
        if self._lost:
            return
        with self._lock:
            steps = {name: dict(step) for name, step in self._steps.items()}
        self._beat += 1
        progress = RunProgress(self._run, 1, self._beat, now(), self._every_s, ended, steps)
        data, key = canonical_json(asdict(progress)), progress_key(self._run)
        # A store that takes nothing more ends the run where it matters: at its next result.
        try:
            if self._version is None:
                stat = self._store.stat(key)
                self._version = stat and stat.version
            if self._version is None:
                self._lost = not self._store.put_if_absent(key, data)
            else:
                self._lost = not self._store.replace_if_match(key, data, self._version)
            stat = self._store.stat(key)
            self._version = stat and stat.version
        except (UserError, OSError):
            self._version = None
