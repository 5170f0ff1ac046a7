"""Sensitivity: what quantizing one layer alone does to the answers, and which layers to except.

Nothing is estimated: for every layer a file is converted in which it alone computes in integers,
and is run on images of the validation split.

References:
    Wu et al., Integer Quantization for Deep Learning Inference: Principles and Empirical
    Evaluation, arXiv:2004.09602, section 5.2 (partial quantization).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from components.contract.errors import UserError
from components.contract.progress import tell
from components.ml.lite.flatbuffer import LiteFile
from components.ml.lite.layers import OUTPUT, LiteLayer
from components.ml.lite.precision import float_outputs
from components.ml.lite.trial import DIGITS, Error, Trial
from components.statistics.metrics import PRIMARY


@dataclass(frozen=True)
class Excepted:
    """One more layer left in float.

    Attributes:
        layer: Its name.
        drop: What the metric loses against the float file from then on.
        size_bytes: Length of the file from then on.
    """

    layer: str
    drop: float
    size_bytes: int


@dataclass(frozen=True)
class Sensitivity:
    """What was found.

    Attributes:
        whole: Error of the file with no exceptions but those that the scheme cannot do without.
        by_layer: Error when that layer alone is quantized, by its name, in the order they run.
        unquantizable: Names of layers that the scheme leaves in float in any case.
        excepted: What ``auto`` took, in this order; empty where nobody asked.
    """

    whole: Error
    by_layer: dict[str, Error]
    unquantizable: tuple[str, ...]
    excepted: tuple[Excepted, ...] = ()


def measure(trial: Trial) -> Sensitivity:
    """Measure the error of every layer."""
    layers = trial.layers
    fixed = _unquantizable(trial)
    whole = trial.error(trial.file(fixed))
    found: dict[str, Error] = {}
    for count, layer in enumerate(layers):
        tell(phase="the error of each layer", part=count, total=len(layers))
        found[layer.name] = trial.error(trial.file([one for one in layers if one is not layer]))
    return Sensitivity(whole, found, tuple(layer.name for layer in fixed))


def except_layers(trial: Trial, found: Sensitivity, max_drop: float) -> Sensitivity:
    """Except one layer after the other, the largest error first, until the drop is small enough.

    Args:
        trial: What it is tried on.
        found: What ``measure`` found.
        max_drop: The largest drop, in the metric's own units.

    Returns:
        The same with what was excepted, those that the scheme cannot quantize first.

    Raises:
        UserError: No choice of layers keeps to the drop and leaves one in integers.
    """
    kept = [layer for layer in trial.layers if layer.name in found.unquantizable]
    content = trial.file(kept)
    drop = found.whole.drop
    steps = [Excepted(layer.name, drop, len(content)) for layer in kept]
    # An output of 8 bits would round again what its layer computed.
    rounded = trial.plan.output_type != "float32"
    candidates = [
        layer
        for layer in trial.layers
        if layer not in kept and not (rounded and OUTPUT in layer.aliases)
    ]
    candidates.sort(key=lambda layer: -found.by_layer[layer.name].rmse)
    for layer in candidates:
        if drop <= max_drop:
            break
        tell(phase=f"{len(kept)} layers in float, drop {drop:.4g}")
        kept.append(layer)
        content = trial.file(kept)
        drop = trial.error(content).drop
        steps.append(Excepted(layer.name, drop, len(content)))
    if drop > max_drop or len(kept) == len(trial.layers):
        raise UserError(
            f"quantize: float_layers: auto: with {len(kept)} of {len(trial.layers)} layers in "
            f"float validation still loses {drop:.4g}, and max_drop is {max_drop:g}"
            if drop > max_drop
            else f"quantize: float_layers: auto: no layer can be quantized within max_drop "
            f"{max_drop:g}",
            f"write max_drop: {_above(found.whole.drop)}, or take scheme: float16",
        )
    return replace(found, excepted=tuple(steps))


def report(trial: Trial, found: Sensitivity) -> dict[str, object]:
    """Return the content of ``sensitivity.json``."""
    rows = [
        {
            "layer": layer.name,
            "operators": list(layer.operators),
            "weights": layer.weights,
            **asdict(found.by_layer[layer.name]),
        }
        for layer in trial.layers
    ]
    whole = {**asdict(found.whole), "size_bytes": len(trial.file(_of(trial, found.unquantizable)))}
    return {
        "schema": 1,
        "scheme": trial.plan.scheme,
        "split": "validation",
        "images": len(trial.images_nhwc),
        "metric": PRIMARY[trial.task],
        "float": {
            "value": float(f"{trial.metric(trial.expected_nd):.{DIGITS}g}"),
            "size_bytes": len(trial.calibrated),
        },
        "quantized": whole,
        "layers": rows,
        "unquantizable": list(found.unquantizable),
        "excepted": [asdict(step) for step in found.excepted],
    }


def _of(trial: Trial, names: Sequence[str]) -> list[LiteLayer]:
    return [layer for layer in trial.layers if layer.name in names]


def _unquantizable(trial: Trial) -> list[LiteLayer]:
    floats = float_outputs(LiteFile.parse(trial.file(())))
    return [layer for layer in trial.layers if floats & {*layer.outputs}]


def _above(drop: float) -> float:
    """Return a number of two digits that is not below ``drop``."""
    if drop <= 0:
        return 0.001
    place = 10.0 ** (np.floor(np.log10(drop)) - 1)
    return float(f"{np.ceil(drop / place) * place:.2g}")
