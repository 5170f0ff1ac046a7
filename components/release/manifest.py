"""Release: what an app has to know of a model, as the over-the-air manifest says it.

Pure: infos and results in, JSON values out. An app that reads the manifest needs no other file but
the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from components.artifacts.about import About
from components.artifacts.budgets import Budgets
from components.artifacts.decision import Candidate, Decision, Split, Timing
from components.artifacts.framing import Framing
from components.artifacts.lite_model import (
    LIMITS,
    MODEL_FILE,
    TIE,
    LiteInput,
    LiteModelInfo,
    LiteOutput,
)
from components.artifacts.model import Activation
from components.selection.sealed import SealedResult, qualification
from components.statistics.bootstrap import Interval

SCHEMA = 2

_ROUNDING = 0.5 + TIE
_NUMBERS: Mapping[Activation, str] = {
    "softmax": "The numbers are probabilities.",
    "sigmoid": "The numbers are scores from 0 to 1. Each judges its label alone (sigmoid, "
    "multi-label): they need not sum to 1, and several labels may hold.",
    "none": "The numbers are logits.",
    "other": "The numbers are scores: the larger the likelier, on no known scale.",
}
"""What the numbers of a classifier are; tests hold each against a file that answers so."""


def manifest_of(
    info: LiteModelInfo,
    decision: Decision,
    sealed: SealedResult,
    *,
    name: str,
    budgets: Budgets,
    framing: Framing,
    confidence: float,
    lineage: Mapping[str, str],
    about: About = About(),
) -> dict[str, Any]:
    """Return the content of ``manifest.json``.

    Args:
        info: Of the winning LiteModel.
        decision: How it won.
        sealed: How it did on the sealed split.
        name: Of the release.
        budgets: What it has to keep there as well.
        framing: How an app brings images to the size of the model.
        confidence: Which share the interval of the sealed drop holds.
        lineage: Digests of what the release was made from, by role.
        about: Who answers for it and what it is for.
    """
    assert decision.winner, "only a winner is released"
    won = decision.variant(decision.winner)
    qualified, reasons = qualification(sealed, budgets, won.lead)
    return {
        "schema": SCHEMA,
        "name": name,
        "variant": won.name,
        "task": info.task,
        "file": MODEL_FILE,
        "sha256": info.sha256,
        "size_bytes": info.size_bytes,
        "gzip_bytes": info.gzip_bytes,
        "parameters": info.parameters,
        "runtime": sorted({machine.runtime for machine in decision.devices.values()}),
        "input": _input(info.input, framing),
        "output": _output(info.output, sealed.winner.threshold),
        "budgets": asdict(budgets),
        "selection": _selection(won, decision.split),
        "sealed": {**_sealed(sealed), "confidence": confidence},
        "qualified": qualified,
        "reasons": list(reasons),
        "steps": [dict(step) for step in info.steps],
        "lineage": dict(lineage),
        **({"about": said} if (said := about.to_json()) else {}),
    }


def _selection(won: Candidate, split: Split) -> dict[str, Any]:
    """Return how the winner did where it was chosen."""
    return {
        "metric": won.metric and asdict(won.metric),
        "drop": won.drop and asdict(won.drop),
        "p50_ms": {
            device: timing.p50_ms and asdict(timing.p50_ms)
            for device, timing in won.latency.items()
        },
        "peak_memory_bytes": won.peak_memory_bytes,
        "devices": {device: _on_device(timing) for device, timing in won.latency.items()},
        "description": split.description,
        "n_images": split.n_images,
    }


def _on_device(timing: Timing) -> dict[str, Any]:
    """Return what budgets of devices limit beside the median, as far as the device told it."""
    energy = timing.energy and timing.energy.mj_per_inference
    told = {
        "load_ms": timing.slowest_load_ms,
        "peak_memory_bytes": timing.peak_memory_bytes,
        "mj_per_inference": energy and asdict(energy),
        "arena_bytes": timing.arena_bytes,
        "flash_bytes": timing.flash_bytes,
    }
    return {key: value for key, value in told.items() if value is not None}


def _sealed(result: SealedResult) -> dict[str, Any]:
    """Return how winner and reference did on the sealed images."""
    trivial = result.reference.baseline
    groups = {name: asdict(group) for name, group in result.winner.groups.items()}
    return {
        "description": result.winner.description,
        "n_images": result.winner.n_images,
        "n_identities": result.winner.n_identities,
        "metrics": _plain(result.winner.metrics),
        "reference": _plain(result.reference.metrics),
        "baseline": {"name": trivial.name, "metrics": _plain(trivial.metrics)},
        "drop": result.drop and asdict(result.drop),
        **(
            {
                "pairs": {
                    "winner": result.winner.pairs and asdict(result.winner.pairs),
                    "reference": asdict(result.reference.pairs),
                    "baseline": trivial.pairs and asdict(trivial.pairs),
                }
            }
            if result.reference.pairs
            else {}
        ),
        **({"groups": groups} if groups else {}),
    }


def _plain(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: asdict(interval) for name, interval in metrics.items()}


def _input(given: LiteInput, framing: Framing) -> dict[str, Any]:
    """Return everything about the one input tensor, in numbers and in words."""
    shape = (1, given.height, given.width, given.channels)
    quantization = None
    if given.quantization:
        low, high = LIMITS[given.dtype]
        quantization = {
            **asdict(given.quantization), "lowest": low, "highest": high, "rounding": _ROUNDING,
        }  # fmt: skip
    return {
        "shape": list(shape),
        "dtype": given.dtype,
        "layout": "NHWC: batch, rows from the top, columns from the left, channels",
        "channels": "grey" if given.channels == 1 else "red, green, blue",
        "pixels": "whole numbers from 0 (dark) to 255 (bright)",
        "normalization": {"mean": given.mean, "scale": given.scale},
        "quantization": quantization,
        "takes_pixels": given.takes_pixels,
        "formula": _input_formula(given, framing),
        **({} if framing == Framing() else {"framing": asdict(framing)}),
    }


def _input_formula(given: LiteInput, framing: Framing) -> str:
    size = framing.in_words(given.height, given.width)
    normal = f"(pixel - {_exact(given.mean)}) / {_exact(given.scale)}"
    if given.quantization is None:
        return f"{size} Feed {normal} as {given.dtype}."
    if given.takes_pixels and given.dtype == "uint8":
        return f"{size} Feed its pixels as they are, as uint8."
    if given.takes_pixels:
        return f"{size} Feed pixel - 128 as int8."
    low, high = LIMITS[given.dtype]
    scale, zero = given.quantization.scale, given.quantization.zero_point
    return (
        f"{size} Feed floor({normal} / {scale!r} + {zero} + {_ROUNDING!r}), no lower than {low} "
        f"and no higher than {high}, as {given.dtype}."
    )


def _exact(number: float) -> str:
    """Write a number such that nothing of it is lost, and 1.0 as 1."""
    return repr(number).removesuffix(".0")


def _output(answer: LiteOutput, threshold: float | None) -> dict[str, Any]:
    """Return everything about the one output tensor, in numbers and in words."""
    quantization = answer.quantization
    real = "The numbers are real numbers as they are."
    if quantization:
        real = (
            f"The real numbers are (number - {quantization.zero_point}) * {quantization.scale!r}."
        )
    common = {
        "shape": [1, answer.size],
        "dtype": answer.dtype,
        "quantization": asdict(quantization) if quantization else None,
        "formula": real,
    }
    if answer.kind == "embedding":
        return {**common, "meaning": "embedding", "compare": _compare(answer.size, threshold)}
    assert answer.activation, "scores say what they are"
    return {
        **common,
        "meaning": "scores",
        "activation": answer.activation,
        "labels": list(answer.classes or ()),
        "read": "The image's class is the label at the position of the largest number. "
        + _NUMBERS[answer.activation],
    }


def _compare(size: int, threshold: float | None) -> dict[str, Any]:
    """Return how two embeddings are compared."""
    rule = (
        "No threshold could be chosen: there were no validation pairs. Choose one on images of "
        "your own."
        if threshold is None
        else f"The two images show the same when it is {threshold!r} or more."
    )
    return {
        "normalize": "l2",
        "similarity": "dot product",
        "threshold": threshold,
        "rule": f"Divide each of the two vectors of {size} numbers by its length, the square root "
        f"of the sum of its squares. Multiply them number by number and add up. {rule}",
    }
