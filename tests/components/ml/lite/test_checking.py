"""Files held against what their Model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import LiteFile

INT8 = QuantizationPlan("int8")


def file_of(folder: Path) -> LiteFile:
    return LiteFile.parse((folder / "lite" / MODEL_FILE).read_bytes())


@pytest.mark.parametrize("scheme", ["float32", "dynamic", "float16"])
def test_a_plan_of_int8_on_a_file_that_computes_in_float_is_refused(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path, scheme: str
) -> None:
    from components.ml.lite import checking

    info = replace(ModelInfo.read(pattern_classifier), quantization=INT8)
    checking.refuse(file_of(lite_patterns["int8"]), info)
    with pytest.raises(UserError, match=r"still compute in float: .*CONV_2D"):
        checking.refuse(file_of(lite_patterns[scheme]), info)


def test_edges_of_another_type_than_planned_are_refused(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    info = ModelInfo.read(pattern_classifier)
    planned = replace(info, quantization=replace(INT8, input_type="uint8", output_type="uint8"))
    checking.refuse(file_of(lite_patterns["int8-uint8"]), planned)
    for other in ("int8", "int8-int8"):
        with pytest.raises(AssertionError, match="plan: uint8"):
            checking.refuse(file_of(lite_patterns[other]), planned)
    half = replace(info, quantization=QuantizationPlan("float16"))
    checking.refuse(file_of(lite_patterns["float16"]), half)
    with pytest.raises(AssertionError, match="left in float32"):
        checking.refuse(file_of(lite_patterns["float32"]), half)


def test_a_file_that_lost_the_zeros_of_a_pruned_model_is_refused(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    info = ModelInfo.read(pattern_classifier)
    file = file_of(lite_patterns["float32"])
    kept = info.after({"component": "prune", "zeros": file.zeros})
    checking.refuse(file, kept)
    lost = info.after({"component": "prune", "zeros": file.zeros + 1})
    with pytest.raises(AssertionError, match="were pruned"):
        checking.refuse(file, lost)
    with pytest.raises(AssertionError, match="were pruned"):
        checking.refuse(file, lost.after({"component": "quantize"}))
    assert checking.pruned_zeros(lost.after({"component": "distill"})) == 0
