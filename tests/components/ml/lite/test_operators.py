"""Operators before fusion."""

from __future__ import annotations

from pathlib import Path


def test_operators_before_fusion_are_those_of_the_signature(pattern_classifier: Path) -> None:
    from components.ml.lite import operators

    assert operators.operators_of_program(pattern_classifier) == {
        "BiasAdd": 3, "Conv2D": 2, "DepthwiseConv2dNative": 1, "FusedBatchNormV3": 2,
        "MatMul": 2, "Mean": 1, "Relu": 3, "Softmax": 1,
    }  # fmt: skip
