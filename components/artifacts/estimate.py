"""Estimate: what a program reckons that an inference takes where nobody has measured it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CycleEstimate:
    """Cycles of a neural accelerator as a compiler for it reckons them: no measurement.

    No budget and no choice rests on it. What runs on the processor beside the accelerator, and so
    all of its operators that are counted as such, is not in it.

    Attributes:
        tool: The program.
        version: Of it; empty where it does not tell.
        accelerator: That it was asked for, such as ``ethos-u55-128``.
        system: The system that it took for granted, by the name that it has for it.
        memory_mode: Which memories it took for granted, likewise.
        cycles: Of one inference on the accelerator; None where nothing runs there.
        clock_mhz: Of the accelerator in that system; None likewise.
        ms: Cycles at that clock; None likewise.
        sram_bytes: Of that system's fast memory, what the accelerator uses; None likewise.
        accelerated: Operators that run on the accelerator; None likewise.
        others: Operators that the processor runs.
        why_not: Why there is no number; empty where there is.
    """

    tool: str
    version: str
    accelerator: str
    system: str = ""
    memory_mode: str = ""
    cycles: int | None = None
    clock_mhz: float | None = None
    ms: float | None = None
    sram_bytes: int | None = None
    accelerated: int | None = None
    others: int | None = None
    why_not: str = ""

    @property
    def words(self) -> str:
        """Say what it is in a few words."""
        if self.cycles is None:
            return self.why_not
        beside = (
            f"; {self.others} operators beside it are not counted"
            if self.others and self.others > 1
            else "; 1 operator beside it is not counted"
            if self.others
            else ""
        )
        return (
            f"{self.cycles:,} cycles of {self.accelerator} at {self.clock_mhz:g} MHz, reckoned by "
            f"{self.tool} {self.version}{beside}"
        )
