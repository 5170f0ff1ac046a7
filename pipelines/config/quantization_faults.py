"""Quantize steps of a configuration: parameters that make no sense together, or for the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from components.artifacts.model import QuantizationPlan
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.ml.techniques.quantization_settings import (
    CalibrationSettings,
    SensitivitySettings,
    plan_faults,
)
from pipelines.config.faults import Fault, Location, where
from pipelines.config.sections import PathStep, Teacher, TrainedTeacher

_LEFT_IN_FLOAT = {
    "mobilefacenet": ("PReLU", frozenset({"w4a8", "int16x8"})),
    "mobilenet_v3_small": ("hard swish", frozenset({"int16x8"})),
    "mobilenet_v3_large": ("hard swish", frozenset({"int16x8"})),
}
"""By backbone a layer of it that some schemes cannot compute in integers."""


def quantize_faults(
    location: Location, path: tuple[PathStep, ...], teacher: Teacher
) -> Iterator[Fault]:
    """Check the quantize step that a path may end with; its parameters are valid one by one.

    Args:
        location: Of the path.
        path: Its steps.
        teacher: What the path begins from.
    """
    for index, step in enumerate(path):
        if step.component != "quantize":
            continue
        place = (*location, index, "quantize")
        interface = interface_of("quantize")
        try:
            complete = interface.complete(step.parameters, where=where(place))
        except UserError:
            return  # each parameter's own fault is told already
        given = interface.arguments(complete)
        plan = cast("QuantizationPlan", given["plan"])
        faults = plan_faults(
            plan,
            cast("CalibrationSettings", given["calibration"]),
            cast("SensitivitySettings", given["sensitivity"]),
        )
        for fault in faults:
            yield (*place, fault.key), f"{where(place)}: {fault.what}", fault.fix
        backbone = _backbone(path[:index], teacher)
        layer, schemes = _LEFT_IN_FLOAT.get(backbone or "", ("", frozenset[str]()))
        if plan.scheme in schemes and not plan.float_layers:
            what = f"{backbone} has {layer}, which scheme {plan.scheme} leaves in float"
            yield (
                (*place, "scheme"),
                f"{where(place)}: {what}",
                "write scheme: int8, or add float_layers: auto and max_drop: 0.01",
            )


def _backbone(before: tuple[PathStep, ...], teacher: Teacher) -> str | None:
    """Return the backbone of what is quantized; None where a file of the user's holds it."""
    if before and before[0].component == "distill":
        named = before[0].parameters.get("backbone")
        if named is None:
            known = {item.name: item.default for item in interface_of("distill").parameters}
            named = known.get("backbone")
        return str(named)
    return teacher.network.backbone if isinstance(teacher, TrainedTeacher) else None
