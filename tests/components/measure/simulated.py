"""A device that never was: it answers with timings as a test wants them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.artifacts.measurement import Crash, Process
from components.devices.device import Installed, LostError, Seen, State
from components.devices.power import PowerMeter
from components.devices.timing_plan import TimingPlan
from tests.data.timings import process


def cool(processes_run: int) -> State:
    """A state in which nothing is slowed down."""
    del processes_run
    return {"temperature_c": 30.0, "thermal_status": 0.0, "max_frequency_mhz": 2400.0}


@dataclass
class SimulatedDevice:
    """A phone whose every process takes what ``p50s_ms`` says, and then again.

    Attributes:
        p50s_ms: Medians of the blocks of each process, in the order they are started.
        states: How it is after so many processes.
        settles: Whether it becomes cool when it is waited for.
        lost_after: Goes away in the process after so many.
        waited_s: How long it was waited for each time.
        ran: How many processes there were.
        loop_ms: Its reference loop.
        best_ms: The fastest that it remembers.
    """

    p50s_ms: Sequence[Sequence[float]]
    states: Callable[[int], State] = cool
    settles: Sequence[bool] = (True, True, True)
    lost_after: int | None = None
    waits_s: tuple[float, ...] = (300.0, 300.0, 300.0)
    kind: str = "adb"
    waited_s: list[float] = field(default_factory=list)
    ran: int = 0
    loop_ms: float | None = None
    best_ms: float | None = None

    def check(self, plan: TimingPlan) -> None:
        del plan

    def look(self) -> Seen:
        return Seen("c0ffee", {"model": "made up"}, self.state(), "adb")

    @contextlib.contextmanager
    def take(self, wait_s: float) -> Generator[None]:
        del wait_s
        yield

    def install(self) -> Installed:
        return Installed("wheel", "2.3.0", "ab" * 32, 9, 0.1)

    def settle(self, wait_s: float) -> bool:
        self.waited_s.append(wait_s)
        return self.settles[len(self.waited_s) - 1]

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        del model, plan, seed
        if self.ran == self.lost_after:
            raise LostError("no answer for 20 s")
        self.ran += 1
        ran = process(list(self.p50s_ms[(self.ran - 1) % len(self.p50s_ms)]), seed=self.ran)
        quiet = {**ran.machine, "busy_ms": ran.machine["own_cpu_ms"]}
        loop_ms = self.loop_ms
        return (
            replace(ran, machine=quiet, reference_ms_before=loop_ms, reference_ms_after=loop_ms)
            if loop_ms
            else ran
        )

    def state(self) -> State:
        return self.states(self.ran)

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        del cores
        known = (self.best_ms, found_ms)
        return min((each for each in known if each is not None), default=None)

    def meter(self) -> PowerMeter | str:
        return "not available: the phone charges over its cable"

    def close(self) -> None:
        pass
