"""Device: what times a LiteModel, whatever it is and however it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from components.artifacts.measurement import Crash, Process
from components.devices.power import PowerMeter
from components.devices.timing_plan import TimingPlan

State: TypeAlias = Mapping[str, float | str]
"""What changes while a device runs: ``temperature_c``, ``frequency_mhz``, ``governor`` and others,
as far as it can be read; ``denied`` where reading is refused."""


@dataclass(frozen=True)
class Seen:
    """What a device says of itself.

    Attributes:
        id: Digest of its serial number or machine-id: two of one make differ in it.
        fingerprint: What makes two measurements comparable; does not change while it runs.
        state: How it is at the moment.
        transport: How it is reached, for people: ``ssh``, ``adb by way of lab.lan``.
    """

    id: str
    fingerprint: Mapping[str, str]
    state: State
    transport: str = "none"


@dataclass(frozen=True)
class Installed:
    """The runtime that a device measures with.

    Attributes:
        source: ``wheel``, ``bundle`` or ``runner``.
        version: Of the runtime.
        sha256: Of what was brought.
        bytes: How many went over, 0 where it lay there already.
        seconds: How long that took.
    """

    source: str
    version: str
    sha256: str
    bytes: int
    seconds: float


class LostError(Exception):
    """A device went away: nobody knows what it did last."""


class Device(Protocol):
    """Something that can be looked at, taken, prepared, and made to time a model.

    Every method may raise a ``UserError`` that names the device and the fix, and ``LostError``
    where it goes away in between.
    """

    @property
    def kind(self) -> str:
        """Kind, as in the configuration."""
        ...

    @property
    def waits_s(self) -> tuple[float, ...]:
        """How long each attempt at a measurement waits at most until it is cool and quiet.

        Where the first is 0, the first attempt begins at once. There are as many attempts.
        """
        ...

    def check(self, plan: TimingPlan) -> None:
        """Refuse a plan that it cannot carry out, such as more threads than it has cores."""
        ...

    def look(self) -> Seen:
        """Contact it and say what it is; changes nothing on it."""
        ...

    def take(self, wait_s: float) -> AbstractContextManager[None]:
        """Have it for oneself alone, among all engines and machines."""
        ...

    def install(self) -> Installed:
        """Bring the runtime there, unless it is there."""
        ...

    def settle(self, wait_s: float) -> bool:
        """Wait until it is cool and quiet, ``wait_s`` at most; False if it never was."""
        ...

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        """Time a ``.tflite`` in one fresh process, or say how that process died."""
        ...

    def state(self) -> State:
        """Return how it is at the moment."""
        ...

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        """Return the fastest reference loop on these cores that it has shown, as far as it knows.

        ``found_ms``, what was found now, counts and is remembered.
        """
        ...

    def meter(self) -> PowerMeter | str:
        """Return what measures the energy that it takes, or why nothing does."""
        ...

    def close(self) -> None:
        """Give back what reaching it has opened."""
        ...
