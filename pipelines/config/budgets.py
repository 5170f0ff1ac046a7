"""The section ``budgets``: what a variant must keep to, on every device and on one alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from components.artifacts.budgets import DEVICE_LIMITS, DeviceLimit, Floor
from components.contract.types import NonNegativeFloat, PositiveFloat
from pipelines.config.section import Section

_ALWAYS_WRITTEN = ("size_mb", "latency_ms", "metric", "drop", "at_least", "per")
"""Keys that a plain configuration holds without a value, too; others came later, and what was
configured before them keeps its digest."""


class DeviceBudgetSection(Section):
    """What a variant must keep to on one device; it counts there in place of what holds for all."""

    latency_ms: PositiveFloat | None = Field(
        default=None, description="longest median inference, upper end of its interval"
    )
    load_ms: PositiveFloat | None = Field(
        default=None,
        description="longest load, of the slowest process: from opening the file to allocated "
        "tensors, in a browser from opening the page with the runtime in it; the first inference "
        "is no part of it",
    )
    memory_mb: PositiveFloat | None = Field(
        default=None,
        description="largest peak of memory above that of the runtime alone, in units of 1,000,000 "
        "bytes",
    )
    energy_mj: PositiveFloat | None = Field(
        default=None,
        description="most energy of an inference above the idle device, upper end of its interval, "
        "millijoules; the device needs `energy: true`",
    )
    arena_kb: PositiveFloat | None = Field(
        default=None,
        description="largest memory for tensors of a microcontroller, in units of 1,024 bytes as "
        "in data sheets",
    )
    flash_kb: PositiveFloat | None = Field(
        default=None,
        description="longest model in the firmware of a microcontroller, in units of 1,024 bytes",
    )

    @model_serializer(mode="wrap")
    def _plain(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class BudgetSection(Section):
    """What a variant must keep to, to be able to win."""

    size_mb: PositiveFloat | None = Field(
        default=None, description="largest `.tflite` file in units of 1,000,000 bytes"
    )
    latency_ms: PositiveFloat | None = Field(
        default=None,
        description="longest median inference on every device, upper end of its interval",
    )
    load_ms: PositiveFloat | None = Field(
        default=None, description="longest load on every device, of the slowest process"
    )
    memory_mb: PositiveFloat | None = Field(
        default=None,
        description="largest peak of memory above the runtime's own on every device, in units of "
        "1,000,000 bytes",
    )
    energy_mj: PositiveFloat | None = Field(
        default=None,
        description="most energy of an inference on every device that can measure it, upper end of "
        "its interval, millijoules; each needs `energy: true`",
    )
    arena_kb: PositiveFloat | None = Field(
        default=None,
        description="largest memory for tensors on every microcontroller, in units of 1,024 bytes",
    )
    flash_kb: PositiveFloat | None = Field(
        default=None,
        description="longest model in a firmware, in units of 1,024 bytes",
    )
    devices: Mapping[str, DeviceBudgetSection] | None = Field(
        default=None,
        description="by the name of a device its own budgets, which count there in place of those "
        "of all: `{s21: {latency_ms: 20, memory_mb: 80}}`",
    )
    metric: str | None = Field(
        default=None,
        description="what the drop is taken of; without it `auc` or `accuracy` by task",
    )
    drop: NonNegativeFloat = Field(
        default=0.01,
        description="largest loss against the teacher, upper end of its paired interval",
    )
    at_least: Mapping[str, Floor] | None = Field(
        default=None,
        description="floors: by metric what the lower end of its interval must be at or above, "
        "such as `{auc: 0.95, tar: 0.8}`",
    )
    per: Literal["group"] | None = Field(
        default=None,
        description="`group`: every floor holds for each group of images, too; a group that is too "
        "small to be measured leaves a variant undecided",
    )

    @model_serializer(mode="wrap")
    def _plain(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = write(self)
        return {
            key: value
            for key, value in plain.items()
            if value is not None or key in _ALWAYS_WRITTEN
        }

    @property
    def by_device(self) -> dict[str, dict[DeviceLimit, float]] | None:
        """The own limits of devices by their names, as ``Budgets`` has them; None without any."""
        own = {name: _limits(section) for name, section in (self.devices or {}).items()}
        return {name: limits for name, limits in own.items() if limits} or None

    @property
    def limits(self) -> dict[DeviceLimit, float]:
        """What holds on every device, by its key."""
        return _limits(self)

    def without(self, devices: frozenset[str]) -> BudgetSection:
        """Return the same without the own budgets of some devices."""
        left = {name: own for name, own in (self.devices or {}).items() if name not in devices}
        return self.model_copy(update={"devices": left or None})


def _limits(section: BudgetSection | DeviceBudgetSection) -> dict[DeviceLimit, float]:
    given: dict[DeviceLimit, float | None] = {key: getattr(section, key) for key in DEVICE_LIMITS}
    return {key: value for key, value in given.items() if value is not None}
