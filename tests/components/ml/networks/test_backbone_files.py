"""Backbones as files: each becomes an int8 file without a float operator, and as it was asked for."""

import json
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pytest

from components.artifacts.dataset import write_dataset
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import Embedding, ImageInput, ModelInfo
from components.convert import convert
from components.ml.formats import model_folder
from components.ml.lite.flatbuffer import LiteFile
from components.ml.networks import backbones
from components.ml.runtime import tf_keras
from components.ml.settings import Backbone
from tests.components.flat import quantize

SMALL: Mapping[str, Any] = {"alpha": 0.1, "depth": 0.2}


LETTERS = {
    48_000: (64, [8, 16, 32, 48]),
    95_000: (128, [12, 24, 48, 60]),
}
"""Embedding and widths of networks of 32 x 32 pixels by the bytes that their int8 file has to keep."""


@pytest.mark.parametrize("limit", list(LETTERS))
def test_residual_nets_at_full_resolution_keep_to_their_bytes_in_one_partition(limit, tmp_path):
    size, widths = LETTERS[limit]
    images = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 1), np.uint8)
    data = write_dataset(
        tmp_path / "data", {"train": (images, np.arange(16) // 4)},
        task="verification", classes=tuple("abcd"),
    ).path  # fmt: skip
    network = backbones.with_head(
        "conv", (32, 32, 1), "embedding", size, widths=widths, residuals=[0, 1, 1, 0],
        stem="full", head="depthwise", embedding_norm=True,
    )  # fmt: skip
    info = ModelInfo("verification", ImageInput(32, 32, 1), Embedding(size), parameters=0)
    model_folder.save(tmp_path / "model", network, info.after({"component": "train"}))
    quantize(
        tmp_path / "model", data, tmp_path / "int8", tmp_path / "plan",
        scheme="int8", input_type="uint8",
    )  # fmt: skip
    convert(tmp_path / "int8", tmp_path / "lite", tmp_path / "report")
    content = (tmp_path / "lite" / MODEL_FILE).read_bytes()
    file = LiteFile.parse(content)
    assert 0.8 * limit < len(content) < limit
    assert file.float_operators == ()
    assert file.operators["ADD"] == 2
    delegate = json.loads((tmp_path / "report" / "conversion.json").read_bytes())["delegate"]
    assert (delegate["partitions"], delegate["outside"]) == (1, ["QUANTIZE"])  # of the pixels


@pytest.fixture
def written(pattern_pairs, tmp_path):
    """Build a network for the patterns and write it as an int8 file."""

    def write(backbone: str, **settings: Any) -> LiteFile:
        network = backbones.with_head(backbone, (8, 8, 1), "embedding", 8, **settings)
        info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(8), parameters=0)
        made = info.after({"component": "train"})
        model_folder.save(tmp_path / "model", network, made)
        quantize(
            tmp_path / "model", pattern_pairs, tmp_path / "int8", tmp_path / "plan",
            scheme="int8", input_type="uint8", output_type="int8",
        )  # fmt: skip
        convert(tmp_path / "int8", tmp_path / "lite", tmp_path / "report")
        return LiteFile.parse((tmp_path / "lite" / MODEL_FILE).read_bytes())

    return write


FILES = [
    ("linear", {}, {"FULLY_CONNECTED": 1}),
    ("linear", {"resolution": 4}, {"AVERAGE_POOL_2D": 1, "FULLY_CONNECTED": 1}),
    ("conv", {"widths": [8, 8], "head": "depthwise", "embedding_norm": True, "resolution": 6},
     {"RESIZE_BILINEAR": 1, "CONV_2D": 2, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1}),
    ("conv", {"widths": [8, 8], "residuals": [0, 2], "stem": "full"},
     {"CONV_2D": 4, "ADD": 2, "FULLY_CONNECTED": 1}),
    ("mobilenet_v1", {**SMALL, "pointwise": "dense"},
     {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 5, "FULLY_CONNECTED": 6}),
    ("mobilenet_v2", {**SMALL, "expansion": 2.0}, {"CONV_2D": 15, "DEPTHWISE_CONV_2D": 7}),
    ("mobilenet_v3_small", {**SMALL, "expansion": 2.0}, {"HARD_SWISH": 10}),
    ("mobilenet_v3_large", {**SMALL, "expansion": 2.0}, {"HARD_SWISH": 12, "MUL": 6}),
    # 15 swishes; 7 squeezes with one and a gate
    ("efficientnet_b0", {**SMALL, "expansion": 2.0}, {"LOGISTIC": 29}),
    ("efficientnet_lite0", {**SMALL, "expansion": 2.0}, {"DEPTHWISE_CONV_2D": 7}),
    ("efficientnet_lite4", {**SMALL, "expansion": 2.0}, {"DEPTHWISE_CONV_2D": 8, "ADD": 3}),
    ("mobilefacenet", {**SMALL, "expansion": 2.0}, {"PRELU": 13, "DEPTHWISE_CONV_2D": 7}),
]  # fmt: skip
LONG_FILES = [
    ("resnet50", {}, {"CONV_2D": 53, "ADD": 16}),
    *((f"efficientnet_lite{size}", {**SMALL, "expansion": 2.0}, {"DEPTHWISE_CONV_2D": 7})
      for size in (1, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "settings", "expected"),
    [*FILES, *(pytest.param(*each, marks=pytest.mark.slow) for each in LONG_FILES)],
)
def test_an_int8_file_computes_in_integers_alone(written, backbone, settings, expected):
    file = written(backbone, **settings)
    assert file.float_operators == ()
    operators = file.operators
    assert {name: operators.get(name, 0) for name in expected} == expected, operators


def test_no_backbone_is_left_out():
    assert {name for name, *_ in (*FILES, *LONG_FILES)} == {*get_args(Backbone)}


def test_convolutions_that_were_left_as_they_are_are_seen_in_the_file(written, monkeypatch):
    monkeypatch.setattr(backbones, "with_dense", tf_keras.models.clone_model)
    operators = written("mobilenet_v1", **SMALL, pointwise="dense").operators
    assert operators["FULLY_CONNECTED"] == 1
