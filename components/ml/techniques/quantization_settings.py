"""The settings of quantization after training, and what makes no sense in them; no frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from components.artifacts.model import AUTO, INTEGER_SCHEMES, QuantizationPlan
from components.contract.types import NonNegativeFloat, PositiveInt

Draw: TypeAlias = Literal["stratified", "random"]


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """What the ranges of activations are taken from.

    Attributes:
        calibration: How images are drawn from the train split. stratified: one of each class in
            turn. random: any, as often as the classes are there.
        calibration_images: At most this many, count.
        full_range: Set two pixels of one image black and white, so that the levels of the input are
            exactly the pixel values 0 to 255.
    """

    calibration: Draw = "stratified"
    calibration_images: PositiveInt = 200
    full_range: bool = True


@dataclass(frozen=True, kw_only=True)
class SensitivitySettings:
    """What is measured of the error of each layer.

    Attributes:
        max_drop: With ``float_layers: auto``: how much of the ROC-AUC (verification) or accuracy
            the quantized model may lose on validation images against the float model.
        sensitivity: Measure the error of every layer, as ``float_layers: auto`` does, too.
        validation_images: Errors of layers are measured on at most this many, count; in
            verification all images of as many identities.
    """

    max_drop: NonNegativeFloat | None = None
    sensitivity: bool = False
    validation_images: PositiveInt = 200


@dataclass(frozen=True)
class PlanFault:
    """One fault.

    Attributes:
        key: The parameter of ``quantize`` that is at fault.
        what: What is wrong with it, without the name of the component.
        fix: See ``UserError``.
    """

    key: str
    what: str
    fix: str


def plan_faults(
    plan: QuantizationPlan, calibration: CalibrationSettings, sensitivity: SensitivitySettings
) -> Iterator[PlanFault]:
    """Yield what in the parameters of ``quantize`` makes no sense together.

    Args:
        plan: The plan, before ``auto`` is replaced by names.
        calibration: What it calibrates on.
        sensitivity: What is measured by layer.
    """
    yield from _edge_faults(plan, full_range=calibration.full_range)
    if plan.sparse and plan.scheme != "float16":
        yield PlanFault(
            "sparse",
            "sparse leaves zeros out of the weights of a float16 file, and the scheme is "
            f"{plan.scheme}: integers with their places are longer than the zeros",
            "use scheme: float16, or leave sparse away",
        )
    yield from _idle_faults(plan, calibration, sensitivity)
    max_drop = sensitivity.max_drop
    auto = AUTO in plan.float_layers
    if plan.scheme not in INTEGER_SCHEMES:
        for key, given in (
            ("float_layers", plan.float_layers),
            ("sensitivity", sensitivity.sensitivity),
        ):
            if given:
                yield PlanFault(
                    key,
                    f"scheme {plan.scheme} computes every layer in floating point, so there is "
                    "nothing to except or to measure by layer",
                    f"use scheme: int8, or leave {key} away",
                )
    if auto and len(plan.float_layers) > 1:
        names = ", ".join(name for name in plan.float_layers if name != AUTO)
        yield PlanFault(
            "float_layers",
            f"float_layers is auto and names layers ({names}): one of the two",
            f"write float_layers: auto, or float_layers: [{names}]",
        )
    if auto and max_drop is None:
        yield PlanFault(
            "float_layers",
            "float_layers: auto needs to know how much validation may lose",
            "add max_drop: 0.005",
        )
    if max_drop is not None and not auto:
        yield PlanFault(
            "max_drop",
            "max_drop is what float_layers: auto keeps to, and nothing else reads it",
            "write float_layers: auto, or leave max_drop away",
        )


def _idle_faults(
    plan: QuantizationPlan, calibration: CalibrationSettings, sensitivity: SensitivitySettings
) -> Iterator[PlanFault]:
    """Yield what nothing would read."""
    if plan.scheme not in INTEGER_SCHEMES:
        for field in fields(CalibrationSettings):
            if getattr(calibration, field.name) != field.default:
                yield PlanFault(
                    field.name,
                    f"scheme {plan.scheme} computes in floating point, and is not calibrated",
                    f"use scheme: int8, or leave {field.name} away",
                )
    usual = SensitivitySettings().validation_images
    measured = sensitivity.sensitivity or AUTO in plan.float_layers
    if sensitivity.validation_images != usual and not measured:
        yield PlanFault(
            "validation_images",
            "no error of a layer is measured, and nothing else reads validation_images",
            "write sensitivity: true, or leave validation_images away",
        )


def _edge_faults(plan: QuantizationPlan, *, full_range: bool) -> Iterator[PlanFault]:
    integer = {plan.input_type, plan.output_type} != {"float32"}
    edges = f"(given: {plan.input_type} and {plan.output_type})"
    if plan.scheme not in INTEGER_SCHEMES and integer:
        yield PlanFault(
            "input_type" if plan.input_type != "float32" else "output_type",
            f"scheme {plan.scheme} computes in floating point, so its input_type and output_type "
            f"are float32 {edges}",
            "use scheme: int8, or leave input_type and output_type away",
        )
    if plan.scheme == "int16x8" and integer:
        yield PlanFault(
            "input_type" if plan.input_type != "float32" else "output_type",
            "scheme int16x8 keeps 16 bits of every activation, so its input_type and output_type "
            f"are float32: 8 bits there would hide what it is to show {edges}",
            "leave input_type and output_type away, or use scheme: int8",
        )
    if not plan.exact_pixels:
        return
    if plan.scheme not in {"int8", "w4a8"} or plan.input_type == "float32":
        yield PlanFault(
            "exact_pixels",
            "exact_pixels is for files that take pixels as they are (scheme "
            f"{plan.scheme}, input_type {plan.input_type})",
            "use scheme: int8 with input_type: uint8, or leave exact_pixels away",
        )
    elif not full_range:
        yield PlanFault(
            "exact_pixels",
            "exact_pixels needs levels of the input that are the pixel values",
            "leave full_range away, or exact_pixels",
        )
