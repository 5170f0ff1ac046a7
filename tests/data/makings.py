"""How files came about, as convert writes it, for variants that nothing converted."""

from __future__ import annotations

from components.artifacts.history import Curve, CurvePoint, LayerError, StepFacts
from components.artifacts.making import DelegateUse, Likeness, Making


def rising(epochs: int = 12, *, augment: str = "light", last: float = 0.9) -> Curve:
    """A training that ends while its validation still rises."""
    points = tuple(
        CurvePoint(epoch, 2.0 / epoch, last * (1 - 0.5 / epoch)) for epoch in range(1, epochs + 1)
    )
    return Curve("auc", points, epochs, epochs, augment)


def settled(epochs: int = 12, last: float = 0.9) -> Curve:
    """A training whose best epoch came early."""
    points = tuple(CurvePoint(epoch, 1.0, last) for epoch in range(1, epochs + 1))
    return Curve("auc", points, epochs, 3, "none", before=last + 0.01)


def making(
    size_bytes: int,
    *,
    curves: tuple[Curve | None, ...] = (),
    scheme: str = "int8",
    outside: tuple[str, ...] = (),
    layers: tuple[LayerError, ...] = (),
) -> Making:
    """A record whose anatomy adds up to the file."""
    weights = size_bytes * 3 // 4
    return Making(
        history=tuple(
            StepFacts(step, 100_000 // (step + 1), curve, layers if curve is None else ())
            for step, curve in enumerate(curves)
        ),
        scheme=scheme,
        anatomy={
            "weights": weights, "biases": 100, "scales": 200, "zero_points": 50, "names": 20,
            "metadata": 0, "rest": size_bytes - weights - 370,
        },
        operators={"CONV_2D": 4, "FULLY_CONNECTED": 1},
        float_operators=("SOFTMAX -> scores",) if outside else (),
        delegate=DelegateUse(1 + len(outside), 5 - len(outside), outside),
        gpu_outside=("L2_NORMALIZATION -> embedding",),
        parity=Likeness(32, "samples", 0.9987, 0.9912, 0.0312),
        brotli_bytes=size_bytes // 2,
    )  # fmt: skip
