"""Events: what happens while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.artifacts.data_use import DataUse
from pipelines.runs.graph import Graph


@dataclass(frozen=True)
class Planned:
    """What the run consists of is known; nothing has been read or started yet."""

    graph: Graph = field(repr=False)


@dataclass(frozen=True)
class StepWaiting:
    """A step could run, and waits. Said again when it waits for something else.

    Attributes:
        step: Name of the step.
        what: For whom or what, and what can be done about it if it never ends.
    """

    step: str
    what: str


@dataclass(frozen=True)
class StepStarted:
    """A step's process or container has been started."""

    step: str
    log: str


@dataclass(frozen=True)
class StepDone:
    """A step's result is durable in the store.

    Attributes:
        step: Name of the step.
        key: Its step key.
        outputs: Tree digest of every output.
        record: Store key of the record that says how it came to be.
        cached: The result was there before.
        function_s: Wall time of the component's function when it ran.
        wall_s: Wall time that the engine spent on the step in this run.
    """

    step: str
    key: str
    outputs: Mapping[str, str]
    record: str
    cached: bool
    function_s: float
    wall_s: float


@dataclass(frozen=True)
class ImagesCounted:
    """Ingest is done, and this became of the images.

    Attributes:
        step: Name of the step.
        use: How many are used, and what became of the others.
    """

    step: str
    use: DataUse


@dataclass(frozen=True)
class StepFailed:
    """A step ended without a result; nothing starts after it, and what runs is let finish.

    Attributes:
        step: Name of the step.
        what: What happened and where.
        fix: What the user can do.
        user_fault: False when it is our bug.
        record: Store key of the record of the failure.
    """

    step: str
    what: str
    fix: str
    user_fault: bool
    record: str


@dataclass(frozen=True)
class StepSkipped:
    """A step without a result, because something before it failed or the run was cancelled."""

    step: str


StepEvent = StepWaiting | StepStarted | StepDone | StepFailed | StepSkipped
"""What an engine says."""

Event = Planned | StepEvent | ImagesCounted
"""What whoever launches a run is told."""
