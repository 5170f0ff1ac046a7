"""Operator table: rows of both programs, whose kinds have blanks in them."""

import pytest

from components.devices.remote.runner.operator_table import operators_in
from tests.data.benchmark_programs import (
    litert_operators,
    litert_output,
    tflite_operators,
    tflite_output,
)


@pytest.mark.parametrize(
    ("kind", "text", "first"),
    [
        ("tflite", tflite_output(4200) + tflite_operators(), "Convolution (NHWC, F32) IGEMM"),
        ("litert", litert_output(4200) + litert_operators(),
         "Delegate/Convolution (NHWC, F32) IGEMM"),
    ],
)  # fmt: skip
def test_operators_and_their_sum_beside_the_p50(kind, text, first):
    found = operators_in(text, kind, 52, 4.2)
    assert [each.ms for each in found.operators] == [2.0, 1.0, 0.5]
    assert found.operators[0].kind == first
    assert (found.runs, found.sum_ms, found.p50_ms) == (52, 3.5, 4.2)
    assert found.of_p50 == pytest.approx(3.5 / 4.2)


def test_a_table_of_older_programs_has_one_column_more():
    text = (
        "============================== Run Order ==============================\n"
        "\t             [node type]\t  [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]"
        "\t[times called]\t[Name]\n"
        "\t                 CONV_2D\t    0.000\t    4.269\t    4.107\t  0.107%\t  0.107%\t     0.000"
        "\t        0\t[MobilenetV1/Conv2d_0/Relu6]\n"
        "\t       DEPTHWISE_CONV_2D\t    4.270\t    2.150\t    2.050\t  0.054%\t  0.161%\t     0.000"
        "\t        0\t[MobilenetV1/Conv2d_1_depthwise/Relu6]\n\n"
    )
    found = operators_in(text, "tflite", 50, 6.5)
    assert [(each.kind, each.ms) for each in found.operators] == [
        ("CONV_2D", 4.107), ("DEPTHWISE_CONV_2D", 2.05),
    ]  # fmt: skip


def test_an_output_without_a_table_says_why():
    assert operators_in(tflite_output(4200), "tflite", 52, 4.2).why_not
