"""Events: what happens while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.artifacts.data_use import DataUse
from components.contract.progress import Progress
from pipelines.runs.graph import Graph


@dataclass(frozen=True)
class Planned:
    """What the run consists of is known; nothing has been read or started yet."""

    graph: Graph = field(repr=False)


@dataclass(frozen=True)
class Estimated:
    """How long steps will take, as earlier runs tell.

    Attributes:
        duration_s: By step; without those that nothing is known of.
    """

    duration_s: Mapping[str, float]


@dataclass(frozen=True)
class DeviceNotNeeded:
    """A device cannot measure at the moment, and need not: its results are in the store.

    Attributes:
        device: Its name in the configuration.
        results: How many.
        why: It cannot, in a sentence that names it.
    """

    device: str
    results: int
    why: str


@dataclass(frozen=True)
class StepWaiting:
    """A step could run, and waits. Said again when it waits for something else.

    Attributes:
        step: Name of the step.
        what: For whom or what, and what can be done about it if it never ends.
        outside: It is not other steps of this run that it waits for.
    """

    step: str
    what: str
    outside: bool = True


@dataclass(frozen=True)
class StepStarted:
    """A step's process or container has been started.

    Attributes:
        step: Name of the step.
        log: Where what it prints can be read meanwhile.
        attempt: From 1; more where broken bytes in the store made the step run again.
    """

    step: str
    log: str
    attempt: int = 1


@dataclass(frozen=True)
class StepCached:
    """The engine takes a step's result from an earlier run.

    Its ``StepDone`` comes when it is known where that result lies.

    Attributes:
        step: Name of the step.
    """

    step: str


@dataclass(frozen=True)
class RunRetried:
    """A run that failed is tried again as a whole; what is done is kept.

    Attributes:
        number: Which retry this is, from 1.
        most: How many there are at most.
        steps: What failed.
        why: What happened to them, as one text.
        wait_s: Seconds until then.
    """

    number: int
    most: int
    steps: tuple[str, ...]
    why: str
    wait_s: float


@dataclass(frozen=True)
class StepProgress:
    """A step that runs has told how far it is.

    Attributes:
        step: Name of the step.
        progress: What it told last.
        per_second: How many epochs, images or parts it does in a second; None before that is known.
        left_s: How long its rest takes if it goes on like that; None where nobody knows.
    """

    step: str
    progress: Progress
    per_second: float | None
    left_s: float | None


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
        waited_s: How much of it the step waited for the machine.
    """

    step: str
    key: str
    outputs: Mapping[str, str]
    record: str
    cached: bool
    function_s: float
    wall_s: float
    waited_s: float = 0.0


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
    """A step without a result, because something before it failed or the run was cancelled.

    Attributes:
        step: Name of the step.
        because: What hindered it; empty where only the engine's own page tells.
        cancelled: It was running when the run was cancelled.
        record: Store key of the record that says so, or empty.
    """

    step: str
    because: str = ""
    cancelled: bool = False
    record: str = ""


StepEvent = (
    StepWaiting
    | StepStarted
    | StepCached
    | StepProgress
    | StepDone
    | StepFailed
    | StepSkipped
    | RunRetried
)
"""What an engine says."""

Event = Planned | DeviceNotNeeded | Estimated | StepEvent | ImagesCounted
"""What whoever launches a run is told."""
