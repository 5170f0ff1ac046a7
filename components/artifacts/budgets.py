"""Budgets: what a variant must keep to; a part of signatures, so it loads no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import Field

from components.contract.types import FromGraph, NonNegativeFloat, PositiveFloat
from components.statistics.quantities import MEGABYTE

Floor: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

DeviceLimit: TypeAlias = Literal[
    "latency_ms", "load_ms", "memory_mb", "energy_mj", "arena_kb", "flash_kb"
]
"""A budget whose number is measured on a device: a key of ``budgets`` and of ``DeviceBudget``."""

DEVICE_LIMITS: Final[tuple[DeviceLimit, ...]] = get_args(DeviceLimit)
"""All of them, in the order in which they are told."""


@dataclass(frozen=True)
class DeviceBudget:
    """What a variant must keep to on one device; None for no limit.

    Attributes:
        latency_ms: Longest median of steady inferences, milliseconds.
        load_ms: Longest load, from opening the file to allocated tensors and in a browser from
            opening the page; of the slowest process, milliseconds. The first inference is no part.
        memory_mb: Largest peak of resident memory above that of the runtime alone, in units of
            1,000,000 bytes.
        energy_mj: Most energy of an inference above the idle device, millijoules.
        arena_kb: Largest memory for tensors on a microcontroller, in units of 1,024 bytes, as data
            sheets count.
        flash_kb: Longest model as a firmware holds it, in units of 1,024 bytes.
    """

    latency_ms: PositiveFloat | None = None
    load_ms: PositiveFloat | None = None
    memory_mb: PositiveFloat | None = None
    energy_mj: PositiveFloat | None = None
    arena_kb: PositiveFloat | None = None
    flash_kb: PositiveFloat | None = None


@dataclass(frozen=True)
class DropBudget:
    """How much worse than the reference a variant may be.

    Attributes:
        metric: Name of the metric whose drop against the reference counts.
        drop: Largest drop, in units of the metric; 0.01 is one point of AUC or accuracy.
    """

    metric: Annotated[str, FromGraph()]
    drop: Annotated[NonNegativeFloat, FromGraph()]


@dataclass(frozen=True)
class Budgets(DropBudget):
    """What a variant must keep to.

    Attributes:
        size_mb: Largest file in units of 1,000,000 bytes; None for no limit.
        latency_ms: Longest median of steady inferences in milliseconds on every device; None for
            no limit.
        at_least: By metric the floor that the lower end of its interval must be at or above; None
            for no floors.
        per: ``group``: every floor must hold for each group of images, too.
        load_ms: Longest load on every device, in its slowest process, milliseconds; None, as in the
            next five, for no limit.
        memory_mb: Largest peak of memory above the runtime's own on every device, in units of
            1,000,000 bytes.
        energy_mj: Most energy of an inference on every device that measures it, millijoules.
        arena_kb: Largest memory for tensors on every microcontroller, in units of 1,024 bytes.
        flash_kb: Longest model in a firmware of those, in units of 1,024 bytes.
        by_device: By the name of a device its own limits, which count there in place of these six;
            the keys are those of ``DeviceBudget``.
    """

    size_mb: Annotated[PositiveFloat | None, FromGraph()] = None
    latency_ms: Annotated[PositiveFloat | None, FromGraph()] = None
    at_least: Annotated[Mapping[str, Floor] | None, FromGraph()] = None
    per: Annotated[Literal["group"] | None, FromGraph()] = None
    load_ms: Annotated[PositiveFloat | None, FromGraph()] = None
    memory_mb: Annotated[PositiveFloat | None, FromGraph()] = None
    energy_mj: Annotated[PositiveFloat | None, FromGraph()] = None
    arena_kb: Annotated[PositiveFloat | None, FromGraph()] = None
    flash_kb: Annotated[PositiveFloat | None, FromGraph()] = None
    by_device: Annotated[Mapping[str, Mapping[DeviceLimit, PositiveFloat]] | None, FromGraph()] = (
        None
    )

    @property
    def floors(self) -> Mapping[str, float]:
        """The floors by metric; empty where there are none."""
        return self.at_least or {}

    @property
    def size_bytes(self) -> int | None:
        """The size budget in bytes."""
        return None if self.size_mb is None else round(self.size_mb * MEGABYTE)

    @property
    def on_every_device(self) -> DeviceBudget:
        """What holds on devices that have no limits of their own."""
        return DeviceBudget(**{limit: getattr(self, limit) for limit in DEVICE_LIMITS})

    @property
    def devices(self) -> Mapping[str, DeviceBudget]:
        """By name of a device what it alone has to keep; empty where none has limits of its own."""
        return {name: DeviceBudget(**own) for name, own in (self.by_device or {}).items()}

    def on(self, device: str) -> DeviceBudget:
        """Return what has to be kept on a device: its own limits, and the general ones besides.

        Example:
            >>> budgets = Budgets("auc", 0.01, latency_ms=50, by_device={"s21": {"latency_ms": 20}})
            >>> budgets.on("s21").latency_ms, budgets.on("host").latency_ms
            (20, 50)
        """
        return replace(self.on_every_device, **(self.by_device or {}).get(device, {}))

    def is_own(self, device: str, limit: DeviceLimit) -> bool:
        """Whether a limit is a device's own, and not that of every device."""
        return limit in (self.by_device or {}).get(device, {})
