"""What was folded into what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.ml.lite.flatbuffer import LiteFile


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report" / "conversion.json").read_bytes())


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8", "int8-uint8"])
def test_every_operator_of_the_program_is_found_once(
    lite_patterns: Mapping[str, Path], scheme: str
) -> None:
    report = report_of(lite_patterns[scheme])
    told = report["fusion"]
    names = [name for row in told["operators"] for name in row["from"]]
    assert told["not_found"] == []
    assert len(names) == len(set(names)) == sum(report["operators"]["before"].values())
    assert len(told["operators"]) == sum(report["operators"]["after"].values())
    convolutions = [row["from"] for row in told["operators"] if row["operator"] == "CONV_2D"]
    assert [[one.split()[0] for one in row] for row in convolutions] == [
        ["Conv2D", "FusedBatchNormV3", "Relu"]
    ] * 2
    (depthwise,) = [r for r in told["operators"] if r["operator"] == "DEPTHWISE_CONV_2D"]
    assert depthwise["from"][0].startswith("DepthwiseConv2dNative ")
    assert "depthwise" in depthwise["output"]
    added = {row["operator"] for row in told["operators"] if not row["from"]}
    assert added <= {"QUANTIZE", "DEQUANTIZE"}
    (softmax,) = [row for row in told["operators"] if row["operator"] == "SOFTMAX"]
    assert [one.split()[0] for one in softmax["from"]] == ["Softmax"]


def test_what_nothing_can_be_found_for_is_said(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import fusion

    # Names are dropped from a repacked file; without operators there is nothing to follow to.
    file = LiteFile.parse((lite_patterns["float32"] / "lite" / MODEL_FILE).read_bytes())
    empty = replace(file, subgraphs=(replace(file.subgraphs[0], operators=()),))
    told = fusion.fusion(pattern_classifier, empty)
    assert told["operators"] == []
    assert len(told["not_found"]) == 15


def test_what_falls_off_delegates_is_named(lite_patterns: Mapping[str, Path]) -> None:
    report = report_of(lite_patterns["int8"])
    assert report["delegate"]["outside"] == ["SOFTMAX"]
    (named,) = report["delegate"]["outside_named"]
    assert named.startswith("SOFTMAX -> StatefulPartitionedCall")
    gpu = report["gpu_delegate"]
    assert gpu["verified"] is False
    assert gpu["source"].startswith("https://ai.google.dev/")
    assert {one.split(" -> ")[0] for one in gpu["outside"]} == {"DEQUANTIZE", "MEAN", "QUANTIZE"}
    assert all(one.split(" -> ")[1] for one in gpu["outside"])
    floats = report_of(lite_patterns["float32"])
    assert floats["delegate"]["outside_named"] == []
    assert [one.split()[0] for one in floats["gpu_delegate"]["outside"]] == ["MEAN"]
