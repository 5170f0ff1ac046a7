"""Files held against what their Model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ImageInput, ModelInfo, QuantizationPlan, Scores
from components.artifacts.promises import Promises, SharedWeights
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import LiteFile
from tests.data.patterns import NAMES

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


def test_a_plan_of_dynamic_on_a_file_whose_weights_stayed_float_is_refused(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    info = replace(ModelInfo.read(pattern_classifier), quantization=QuantizationPlan("dynamic"))
    checking.refuse(file_of(lite_patterns["dynamic"]), info)
    with pytest.raises(AssertionError, match="weights left in float32"):
        checking.refuse(file_of(lite_patterns["float32"]), info)


def test_dynamic_of_a_net_that_is_too_small_for_it_is_refused_and_other_schemes_work(
    pattern_data: Path, tmp_path: Path
) -> None:
    from components.convert import convert
    from components.ml.formats import model_folder
    from components.ml.runtime import tf_keras
    from tests.components.flat import quantize

    image = tf_keras.layers.Input((8, 8, 1))
    flow = tf_keras.layers.Conv2D(8, 3, activation="relu")(image)
    flow = tf_keras.layers.GlobalAveragePooling2D()(flow)
    scores = tf_keras.layers.Dense(4, activation="softmax")(flow)
    info = ModelInfo("classification", ImageInput(8, 8, 1), Scores(NAMES, "softmax"), parameters=0)
    tiny = info.after({"component": "train", "backbone": "tiny"})
    model_folder.save(tmp_path / "tiny", tf_keras.Model(image, scores), tiny)

    def convert_as(scheme: str) -> LiteFile:
        folder = tmp_path / scheme
        quantize(tmp_path / "tiny", pattern_data, folder / "model", folder / "plan", scheme=scheme)
        convert(folder / "model", folder / "lite", folder / "report")
        return file_of(folder)

    with pytest.raises(UserError, match=r"1,024 numbers on, and no weight") as caught:
        convert_as("dynamic")
    assert not (tmp_path / "dynamic" / "lite").exists()
    for scheme, dtype in (("int8", "INT8"), ("float16", "FLOAT16")):
        assert scheme in caught.value.fix
        assert {tensor.dtype for tensor in convert_as(scheme).weights} == {dtype}


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
    step = {"component": "prune"}
    checking.refuse(file, info.after(step, promises=Promises(zeros=file.zeros)))
    lost = info.after(step, promises=Promises(zeros=file.zeros + 1))
    with pytest.raises(AssertionError, match="were pruned"):
        checking.refuse(file, lost)
    checking.refuse(file, lost.after({"component": "distill"}))  # which promises nothing


def test_a_file_that_lost_shared_values_is_refused_a_layer_or_a_channel(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    info = ModelInfo.read(pattern_classifier)
    for scheme in ("float32", "float16", "dynamic", "int8"):
        file = file_of(lite_patterns[scheme])
        (tensor,) = (tensor for tensor in file.weights if tensor.elements == 9 * 12 * 24)
        assert tensor.unique is not None
        assert tensor.unique_per_channel is not None
        channel = max(tensor.unique_per_channel)
        layer = channel if len(tensor.scales) > 1 else tensor.unique
        for per, unique in (("layer", layer), ("channel", channel)):
            for less in (0, 1):
                kernel = SharedWeights("second/kernel", 9 * 12 * 24, unique - less, per)
                promised = replace(info, promises=Promises(shared=(kernel,)))
                if not less:
                    checking.refuse(file, promised)
                    continue
                with pytest.raises(AssertionError, match=f"values a {per}: of 1 tensors"):
                    checking.refuse(file, promised)


def test_a_kernel_that_is_not_in_the_file_is_no_kept_promise(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    kernel = SharedWeights("gone/kernel", 12345, 16, "layer")
    promised = replace(ModelInfo.read(pattern_classifier), promises=Promises(shared=(kernel,)))
    with pytest.raises(AssertionError, match="of 0 tensors with 12345 weights"):
        checking.refuse(file_of(lite_patterns["float32"]), promised)


def test_ranges_that_are_promised_and_not_stored_are_missed(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path
) -> None:
    from components.ml.lite import checking

    info = replace(
        ModelInfo.read(pattern_classifier), quantization=INT8, promises=Promises(ranges=2)
    )
    with pytest.raises(AssertionError, match="2 ranges, stored: 0"):
        checking.refuse(file_of(lite_patterns["int8"]), info)
